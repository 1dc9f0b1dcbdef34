"""Linear layers whose products come from the quicker of torch's two libraries.

torch multiplies float32 matrices on x86 processors by MKL, which is Intel's. On AMD's with AVX-512
oneDNN, which torch has for its other formats, takes 0.7 to 0.85 of the time for what a layer gives
and for the gradient of what it reads; MKL stays ahead for the gradient of the weights.
Shapes: N rows, I inputs, O outputs.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _amd() -> bool:
    """Whether this is such a processor: a rule, not a trial, so that runs repeat."""
    found = getattr(torch.cpu, "get_capabilities", dict)()  # older torch has none
    return str(found.get("cpu_name", "")).startswith("AMD") and bool(found.get("avx512_f"))


AMD = _amd()
ONEDNN: Any = None  # its product, where it is the quicker one
if AMD and torch.backends.mkldnn.is_available():
    ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
LARGE = 2**26  # N I O; smaller, its calls cost more than it saves


class Linear(nn.Linear):
    """nn.Linear, computed by `linear` below."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        return linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear: (..., I), (O, I), (O,) to (..., O); differentiable once where oneDNN computes."""
    if _suits(x, weight):
        return _Linear.apply(x, weight, bias)
    return F.linear(x, weight, bias)


def _suits(x: Tensor, weight: Tensor) -> bool:
    return (
        ONEDNN is not None
        and not torch.compiler.is_compiling()  # a traced length gives no plain bool
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and x.numel() * weight.shape[0] >= LARGE
        and not torch.is_autocast_enabled("cpu")
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear by oneDNN, without a gradient."""
    return ONEDNN(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = context.saved_tensors
        for_x, for_weight, for_bias = context.needs_input_grad
        rows = outer.reshape(-1, outer.shape[-1])  # (N, O)
        return (
            _product(outer, weight.mT) if for_x else None,
            rows.mT @ x.reshape(len(rows), -1) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )
