"""Parts of a model that learn from counts instead of gradients, after each step: the biases that
keep experts alike busy."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zoo.training.trainer import Trainer


@runtime_checkable
class Balanced(Protocol):
    """A layer that counts in training, and changes itself by the counts of a whole step.

    Attributes:
        load: Int64 (E,), since the last step; a buffer that no checkpoint needs.
    """

    load: Tensor

    def rebalance(self, load: Tensor) -> None:
        """Learn from the counts of all micro-batches of all ranks."""


def keep_balance(trainer: Trainer) -> None:
    """Have a trainer's steps end with `rebalance`, if its model has such layers.

    Counts are whole numbers, whose sum is the same however a batch is cut and on every rank: so is
    what is learned, and it is in the checkpoint, as a buffer.
    """
    layers = [m for m in trainer.model.modules() if isinstance(m, Balanced)]
    if not layers:
        return
    watched = trainer.watched

    @contextlib.contextmanager
    def around() -> Iterator[None]:
        with watched():
            yield
        total = trainer.runtime.sum(torch.cat([layer.load for layer in layers]))
        for layer, load in zip(layers, total.split([len(layer.load) for layer in layers])):
            layer.rebalance(load)
            layer.load.zero_()

    trainer.watched = around
