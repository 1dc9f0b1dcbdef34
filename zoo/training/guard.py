"""A loss that is not finite stops the run within one step, and its batch is saved.

So does a validation loss. Another metric that is not finite gives a warning, and is never the best.
"""

import math
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
from torch import Tensor

from zoo.errors import TrainingFailed
from zoo.tasks.base import Batch
from zoo.training.budget import monitored
from zoo.training.host_copy import HostCopy
from zoo.training.runtime import Runtime


class FiniteGuard:
    """Checks every loss without blocking a GPU.

    On a CPU the loss is read at once. Elsewhere it is copied in the background and read one step
    later, when the device is done with it anyway.

    Args:
        runtime: The device and rank.
        folder: Where the batch of a loss that is not finite is saved.
        warn: Called with warnings.
    """

    def __init__(self, runtime: Runtime, folder: Path, warn: Callable[[str], None] = print) -> None:
        self.runtime, self.folder, self.warn = runtime, folder, warn
        self._warned = False
        self._pending: tuple[HostCopy, list[Batch], int] | None = None

    def check(self, loss: Tensor, micro_batches: list[Batch], step: int) -> None:
        """Check the loss of step number `step`.

        Raises:
            TrainingFailed: It, or the step before's, is not finite.
        """
        self.finish()
        self._pending = HostCopy(loss), micro_batches, step
        if self.runtime.device.type == "cpu":
            self.finish()

    def finish(self) -> None:
        """Check the loss that is still being copied."""
        if self._pending is not None:
            (loss, micro_batches, step), self._pending = self._pending, None
            self._require_finite(loss.read(), micro_batches, step)

    def evaluation(self, split: str, step: int) -> Callable[[str], None]:
        """What `evaluate` calls with a loss that is not finite: in validation it raises
        TrainingFailed, for another split it warns."""

        def report(what: str) -> None:
            if split != "val":
                self.warn(f"the {split} loss is {what}; is there such a value in the data?")
                return
            raise TrainingFailed(
                f"the validation loss of step {step} is {what}; is there such a value in the data, "
                f"or have the weights diverged (try a lower optim.lr, trainer.clip=1, or "
                f"trainer.precision=fp32)? the last good ones are in {self.folder / 'checkpoints'}"
            )

        return report

    def monitored(self, monitor: str, metrics: dict[str, float], step: int) -> float:
        """The metric that a task monitors, larger being better; -inf where it is not finite: never
        the best, no improvement."""
        value = monitored(monitor, metrics)
        if math.isfinite(value):
            return value
        if not self._warned:
            self._warned = True
            name = monitor.removeprefix("-")
            self.warn(f"val/{name} of step {step} is {abs(value)}: such a step is never the best")
        return -math.inf

    def _require_finite(self, value: float, micro_batches: list[Batch], step: int) -> None:
        if value - value == 0:  # neither infinite nor NaN
            return
        path = self.folder / f"failed_batch_rank{self.runtime.rank}.safetensors"
        tensors = {
            f"{k}.{name}": column.cpu().contiguous()
            for k, batch in enumerate(micro_batches)
            for name, column in batch.items()
        }
        safetensors.torch.save_file(tensors, path)
        raise TrainingFailed(
            f"the loss of step {step} is {value}: a value in the batch, or a rate too high; the "
            f"batch is in {path}, the last good weights are in {self.folder / 'checkpoints'}; "
            f"try a lower optim.lr, trainer.clip=1, or trainer.precision=fp32"
        )
