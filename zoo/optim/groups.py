"""The parameters that optimizers are built from, in groups by weight decay."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from zoo.errors import UserError

FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")
Groups = list[dict[str, Any]]


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name."""
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        raise UserError("the model has no parameter to train")
    return parameters


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> Groups:
    """Matrices and kernels decay; biases, norms and other vectors do not."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def two(betas: Sequence[float]) -> tuple[float, float]:
    """Adam's coefficients.

    Raises:
        ValueError: Not two.
    """
    if len(betas) != 2:
        raise ValueError(f"betas={list(betas)}: expected two numbers")
    first, second = betas
    return first, second


def can_fuse(model: nn.Module) -> bool:
    """Whether torch's fused step takes all parameters that are trained."""
    parameters = trainable(model).values()
    return all(p.device.type in FUSED_DEVICES and p.is_floating_point() for p in parameters)


def groups_of(model: nn.Module, weight_decay: float) -> Groups:
    """The parameters to train, as an optimizer takes them."""
    return decay_groups(trainable(model).values(), weight_decay)
