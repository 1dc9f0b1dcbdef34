"""Keeping a model as it was while something small is trained."""

from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class FrozenBatchNorm(nn.Module):
    """A batch normalisation that neither learns nor counts: always by its running statistics."""

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same."""
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def replace(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in the place of the one of that dotted name."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module.train(model.training))


def freeze(model: nn.Module, kept: Iterable[str] = ()) -> nn.Module:
    """Nothing learns but the parameters named; running statistics stand still.

    Args:
        model: Changed in place.
        kept: Names of parameters that go on learning.
    """
    kept = set(kept)
    model.adapted = True  # type: ignore[assignment]  # checkpoints hold what is trained alone
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in kept)
    for name, module in list(model.named_modules()):
        tracked = isinstance(module, _BatchNorm) and module.running_mean is not None
        if tracked and not any(p.requires_grad for p in module.parameters()):
            replace(model, name, FrozenBatchNorm(module))
    return model
