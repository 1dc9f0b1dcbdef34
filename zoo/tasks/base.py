"""The contract between the trainer and an objective: sums and counts, never means.

The mean over micro-batches of unequal target counts is not the mean over their predictions; the
same trap waits in ragged last batches and in ranks. So a step reports sums, and whoever divides,
divides once.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

Batch = dict[str, Tensor]


class StepOutput(NamedTuple):
    """What one batch contributes.

    Attributes:
        loss_sum: Scalar, differentiable, summed over predictions.
        count: Scalar tensor, how many predictions.
        sums: Metric sums, e.g. {"accuracy": number correct}; any shape (a confusion matrix).
    """

    loss_sum: Tensor
    count: Tensor
    sums: dict[str, Tensor]


def exact(tensor: Tensor) -> Tensor:
    """float64, for sums that must lose no digits; float32 on Apple's MPS, which has no float64."""
    return tensor.float() if tensor.device.type == "mps" else tensor.double()


class Pictures(Protocol):
    """Where previews go: TensorBoard and the run's `previews/` folder."""

    def figure(self, tag: str, figure: Any) -> None: ...

    def text(self, tag: str, text: str) -> None: ...


class Task(Protocol):
    """An objective. Behaves by `model.training`: evaluation may add costlier sums.

    A task may have `final_step` beside `step`, with sums that only the last word is worth: the test
    split, other data; validation, which comes often, takes `step`.
    """

    monitor: str  # "accuracy", or "-loss" where less is better

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Loss and metric sums of one batch."""

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Named figures from the means of the sums: of "loss" too, and "count", the predictions."""

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Figures too long for a log line, as JSON: per class, a confusion matrix. May be empty."""

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], pictures: Pictures
    ) -> None:
        """Something to look at, drawn from up to a thousand samples of the split."""

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """One JSON-ready row per sample of a prepared batch without targets."""
