"""Linear layer, GELU, dropout, cross-entropy: each a call or two of PyTorch.

Faster implementations for some processors and sizes are in zoo/kernels/cpu.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.kernels.registry import Arguments, kernel

IGNORE_INDEX = -100  # a target that is not part of the loss


def _random(*shape: int, scale: float = 1.0) -> Tensor:
    return (scale * torch.randn(shape, dtype=torch.float64)).requires_grad_()


def _linear_examples() -> Iterator[Arguments]:
    for shape in ((65,), (5, 13), (2, 3, 11)):
        yield _random(*shape, 17), _random(19, 17), _random(19)
        yield _random(*shape, 17), _random(19, 17), None


def _gelu_examples() -> Iterator[Arguments]:
    for shape in ((1,), (7, 3), (2, 5, 6), (5, 2**18 - 3)):
        yield (_random(*shape, scale=3.0),)


def _dropout_examples() -> Iterator[Arguments]:
    for p in (0.0, 0.1, 0.5, 0.9):
        yield _random(200_001), p  # no multiple of eight
        yield _random(40, 5, 7), p


def _targets(rows: int, size: int) -> Tensor:
    target = torch.randint(size, (rows,))
    target[1] = IGNORE_INDEX
    return target


def _cross_entropy_examples() -> Iterator[Arguments]:
    for smoothing in (0.0, 0.1):
        for rows, size in ((3, 11), (133, 8192), (37, 65536)):
            yield _random(rows, size, scale=3.0), _targets(rows, size), smoothing


def _linear_cross_entropy_examples() -> Iterator[Arguments]:
    for rows, size, bias in ((70, 50, True), (70, 50, False), (1000, 8192, True)):
        head = nn.Linear(8, size, bias=bias).double()
        yield _random(rows, 8), head, _targets(rows, size)
    yield _random(70, 8), nn.Linear(8, 50).double().requires_grad_(False), _targets(70, 50)


@kernel(examples=_linear_examples)
def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b: (..., I), (O, I), (O,) to (..., O)."""
    return F.linear(x, weight, bias)


@kernel(examples=_gelu_examples)
def gelu_tanh(x: Tensor) -> Tensor:
    """GELU, tanh approximation (Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415)."""
    return F.gelu(x, approximate="tanh")


@kernel(examples=_dropout_examples, random=True)
def dropout(x: Tensor, p: float) -> Tensor:
    """Zeroes each number with probability p, scales the others to keep the mean (Srivastava et al.,
    2014, https://jmlr.org/papers/v15/srivastava14a.html)."""
    return F.dropout(x, p)


@kernel(examples=_cross_entropy_examples)
def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Summed cross-entropy of logits (N, V) for targets int64 (N,), in float32 at least.

    Read nothing from logits that were computed afterwards: while training, an implementation may
    overwrite them with their gradient.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return F.cross_entropy(wide, target, reduction="sum", label_smoothing=label_smoothing)


@kernel(examples=_linear_cross_entropy_examples)
def linear_cross_entropy(x: Tensor, head: nn.Module, target: Tensor) -> Tensor:
    """cross_entropy(head(x), target): (N, D), int64 (N,)."""
    return cross_entropy(head(x), target)


def no_autocast(x: Tensor) -> contextlib.AbstractContextManager[Any]:
    """For what is computed in the types that it has, within a step of mixed precision."""
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()


def normalise(name: Literal["layer", "rms"], x: Tensor, rms_eps: float | None = None) -> Tensor:
    """LayerNorm or RMSNorm over the last dimension, without learned parameters.

    In x's own dtype: autocast would cast to float32 and back.

    Args:
        name: Which of the two.
        x: (..., D).
        rms_eps: Epsilon of an RMSNorm; None for that of the number format.
    """
    size, device = x.shape[-1:], x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return normalise(name, x, rms_eps)
    return F.rms_norm(x, size, eps=rms_eps) if name == "rms" else F.layer_norm(x, size)
