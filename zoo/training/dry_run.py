"""A trial step that changes nothing: what would fail later fails before anything is written."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from zoo.errors import UserError, place_of
from zoo.tasks.base import Batch, Task
from zoo.training.loader import Loader
from zoo.training.memory import first_line, is_out_of_memory
from zoo.training.precision import Precision, choose_precision
from zoo.training.products import ProductCounter, Products
from zoo.training.runtime import Runtime, forked_rng


class OutOfMemory(UserError):
    """A micro-batch does not fit into memory."""


@dataclass
class DryRun:
    """Steps of a model on micro-batches of the sizes that training and evaluation will meet.

    Weights, buffers (the statistics of batch norm) and random numbers stay as they are.

    Attributes:
        model: The model, on its device.
        task: The objective.
        loader: The batches.
        names: Of the model, the task and the data, for messages.
    """

    model: nn.Module
    task: Task
    loader: Loader
    names: tuple[str, str, str]

    def __post_init__(self) -> None:
        self.runtime: Runtime = self.loader.runtime
        batches = next(self.loader.training(0, 1))
        sizes = {_size(batch): batch for batch in batches}  # they differ by one at most
        self.batches = [sizes[size] for size in sorted(sizes, reverse=True)]

    def choose(self, name: str, products: Products | None = None) -> tuple[str, str]:
        """The precision to train in, tried in a step, and the reason for it.

        Args:
            name: As configured.
            products: Of the model by which `auto` is decided; None for this one.

        Raises:
            UserError: The model refuses a batch, or runs out of memory; on every rank alike.
        """
        self._together(self._evaluate)
        count = (lambda: products) if products else self.count
        chosen, reason = choose_precision(name, self.runtime, count)
        if products:
            reason = reason.replace("auto", "auto, by the sweep's first trial", 1)
        try:
            self._together(self._train, chosen)
        except OutOfMemory:
            raise
        except UserError as error:
            if name != "auto" or chosen == "fp32":
                raise
            self._together(self._train, "fp32")
            chosen, reason = "fp32", f"auto: {chosen} does not run here ({error})"
        self.runtime.reset_peak()
        return chosen, reason

    def count(self) -> Products:
        """The matrix products of a training step's forward pass."""
        counter = ProductCounter()

        def forward() -> None:
            batch = self.batches[0]
            with self._unchanged(), self._errors(batch, training=True), counter:
                self.task.step(self.model, batch)

        self._together(forward)
        return counter.products

    def _evaluate(self) -> None:
        whole = self.batches[0]
        smallest = min(self.loader.smallest_evaluated(), _size(whole))
        for size in sorted({_size(whole), smallest}, reverse=True):
            batch = {name: column[:size] for name, column in whole.items()}
            with self._unchanged(), torch.no_grad(), self._errors(batch, training=False):
                self.task.step(self.model.eval(), batch)

    def _train(self, name: str) -> None:
        precision = Precision(name, self.runtime.device)
        for batch in self.batches:
            with self._unchanged(), self._errors(batch, training=True):
                with precision.autocast():
                    output = self.task.step(self.model, batch)
                precision.backward(output.loss_sum, max(1, _size(batch)))

    @contextlib.contextmanager
    def _unchanged(self) -> Iterator[None]:
        """The model in training mode, its buffers, gradients and random numbers put back."""
        held = [
            (module._buffers, name, buffer, buffer.clone())
            for module in self.model.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        self.model.train()
        try:
            with forked_rng(self.runtime.device, 0):
                yield
        finally:
            with torch.no_grad():
                for buffers, name, buffer, value in held:
                    buffers[name] = buffer.copy_(value)
            for parameter in self.model.parameters():
                parameter.grad = None
            self.model.train()

    def _together(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do the work on every rank; where one raises UserError, all do."""
        refused: UserError | None = None
        try:
            work(*arguments)
        except UserError as error:
            refused = error
        if first := next(filter(None, self.runtime.gather(refused)), None):
            raise first from None

    @contextlib.contextmanager
    def _errors(self, batch: Batch, training: bool) -> Iterator[None]:
        """One line for what the model raises."""
        try:
            yield
        except (RuntimeError, ValueError, IndexError, KeyError) as error:
            raise self._described(error, batch, training) from None
        except (TypeError, AttributeError) as error:
            first, (model, task, _) = first_line(error), self.names
            if not re.match(rf"{type(self.model).__name__}\.forward\(\)|'\w+Output' object", first):
                raise  # a mistake in the code, with its place
            raise UserError(
                f"model={model} and task={task} do not fit each other ({first}); take those of a "
                f"recipe: python scripts/list.py names the ones of each model"
            ) from None

    def _described(self, error: Exception, batch: Batch, training: bool) -> UserError:
        size, loader, (model, task, data) = _size(batch), self.loader, self.names
        first = first_line(error)
        if is_out_of_memory(error):
            return OutOfMemory(
                f"a micro-batch of {size} samples does not fit into memory ({first}); lower "
                f"data.batch_size={loader.batch_size}, or raise trainer.accumulate="
                f"{loader.accumulate}, which cuts the batch into more of them"
            )
        shapes = ", ".join(f"{n} {tuple(c.shape)} {c.dtype}" for n, c in batch.items())
        what = "cannot train on" if training else "do not take"
        parts = loader.accumulate * self.runtime.ranks
        remedy = ""
        if training and size == 1:
            cut = f", cut into {parts} micro-batches," if parts > 1 else ""
            lower = " or lower trainer.accumulate" if loader.accumulate > 1 else ""
            remedy = (
                f"; data.batch_size={loader.batch_size}{cut} leaves one sample: raise it to "
                f"{2 * parts} or more{lower}"
            )
        return UserError(
            f"model={model} and task={task} {what} the batches of data={data} ({shapes}): "
            f"{type(error).__name__}: {first} ({place_of(error)}){remedy}"
        )


def _size(batch: Batch) -> int:
    return len(next(iter(batch.values())))
