"""Parts of a model that learn from counts instead of gradients, after each step: the biases that
balance the load of experts."""

import contextlib
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from zoo.training.trainer import Trainer


@runtime_checkable
class Balanced(Protocol):
    """A layer that counts in training, and updates itself from the counts of a whole step.

    Attributes:
        load: Int64 (E,), since the last step; a buffer that no checkpoint needs.
    """

    load: Tensor

    def rebalance(self, load: Tensor) -> None:
        """Learn from the counts of all micro-batches of all ranks."""


def keep_balance(trainer: Trainer) -> None:
    """Have a trainer's steps end with `rebalance`, if its model has such layers.

    Counts are whole numbers, so their sum, and what is learned from it, is the same on every rank
    and however a batch is cut. What is learned is a buffer, and so in the checkpoint.
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
