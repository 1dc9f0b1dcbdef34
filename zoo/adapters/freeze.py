"""Freezing of a model, so that only some parameters are trained."""

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class FrozenBatchNorm(nn.Module):
    """Batch normalisation by running statistics, which it never updates, also while training."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)
        self.register_buffer("num_batches_tracked", norm.num_batches_tracked)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to (B, C, ...)."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Replace the submodule of this dotted name."""
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, module.train(model.training))


def freeze(model: nn.Module, trainable: Iterable[str] = ()) -> nn.Module:
    """Freeze all parameters except those named, and the running statistics.

    Args:
        model: Changed in place.
        trainable: Names of parameters that are still trained.
    """
    trainable = set(trainable)
    # Checkpoints of an adapted model hold only what is trained.
    model.adapted = True  # type: ignore[assignment]  # stubs know tensors and modules only
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trainable)
    for name, module in list(model.named_modules()):
        tracked = isinstance(module, _BatchNorm) and module.running_mean is not None
        if tracked and not any(p.requires_grad for p in module.parameters()):
            replace(model, name, FrozenBatchNorm(module))
    return model
