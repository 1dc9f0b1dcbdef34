"""Exponential moving average of the weights (Polyak and Juditsky, 1992)."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from zoo.training.checkpoint import Tensors, model_tensors, trainable_state_dict, untied


class EMA:
    """A slow copy of the weights, which evaluation and the best checkpoint use.

    The decay warms up as (1 + t) / (10 + t), so the initial weights do not dominate a short run.
    Buffers (running statistics of batch normalisation) are averaged too; whole numbers are copied,
    and so are those of a parametrisation: the singular vectors of spectral normalisation have the
    length 1, which an average of directions that turn has not.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.current = untied(trainable_state_dict(model))
        self.average = {name: t.detach().clone() for name, t in self.current.items()}
        copied = {n for n, _ in model.named_buffers() if ".parametrizations." in f".{n}"}
        self._floats = [
            n for n, t in self.average.items() if t.is_floating_point() and n not in copied
        ]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the current weights after step number `step` (from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        current = [self.current[name].detach() for name in self._floats]
        torch._foreach_lerp_([self.average[name] for name in self._floats], current, 1 - decay)
        for name in self.average.keys() - set(self._floats):
            self.average[name].copy_(self.current[name])

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """The average in the model's place inside, the current weights again outside."""
        current = {name: t.detach().clone() for name, t in self.current.items()}
        self._write(self.average)
        try:
            yield
        finally:
            self._write(current)

    @torch.no_grad()
    def _write(self, source: dict[str, Tensor]) -> None:
        for name, tensor in self.current.items():
            tensor.copy_(source[name])

    def state(self) -> Tensors:
        """For the checkpoint."""
        return model_tensors(self.average)

    def load(self, tensors: Tensors) -> None:
        """From the checkpoint."""
        for name, tensor in tensors.items():
            self.average[name].copy_(tensor)
