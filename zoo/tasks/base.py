"""The contract between the trainer and an objective: sums and counts, never means.

The mean over micro-batches of unequal target counts is not the mean over their predictions; the
same holds for ragged last batches and for ranks. So a step reports sums, which are divided once.

`Task` is what every objective has. Optional capabilities are protocols of their own, below it:

- `HasTestStep`: a costlier step for the test split.
- `WholeBatchTask`: a loss that is a function of the whole batch (contrastive learning).
- `SplitMetrics`: a metric of a whole split that is not a mean over predictions (AUC, recall at k).
  A metric that follows from sums, such as a confusion matrix or a correlation, does not need it:
  sums may be tensors of any shape.
- `HasBaseline`: what a trivial answer reaches, shown beside every result. `LearnsBaseline`: one
  that has to count something over the training split first.
- `CountsPredictions`: a batch may hold nothing to predict.

What else commands ask of a task, and what it can show, is in `zoo.tasks.capabilities`. A model may
implement `AcceptsTargets`, `ReadsDocuments`, `GivesJoint`, `HasPairs` and `HasContext`, which tasks
look for.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zoo.batch import Batch
from zoo.errors import UserError


class StepOutput(NamedTuple):
    """The contribution of one batch.

    Attributes:
        loss_sum: Scalar, differentiable, summed over predictions.
        count: Scalar tensor, how many predictions.
        sums: Metric sums, e.g. {"accuracy": number correct}; any shape (a confusion matrix). A sum
            named "loss" is reported in place of `loss_sum`: the plain loss, where a smoothed or
            weighted one is optimised. None is named "count", which is the field's.
        rows: Only in evaluation, for `SplitMetrics`: what to keep of each of the N samples,
            (N, ...). Those of a whole split are held in memory, on every rank: keep a few numbers
            per sample.
    """

    loss_sum: Tensor
    count: Tensor  # type: ignore[assignment]  # hides tuple.count, which is not needed here
    sums: dict[str, Tensor]
    rows: Mapping[str, Tensor] = MappingProxyType({})


class Gathered(NamedTuple):
    """Features of all ranks, in the order of ranks.

    Attributes:
        features: (M, ...), M samples of the whole batch.
        start: Index of this rank's first sample.
    """

    features: Tensor
    start: int


def to_float64(tensor: Tensor) -> Tensor:
    """float64, for sums that must lose no digits; float32 on Apple's MPS, which has no float64."""
    return tensor.float() if tensor.device.type == "mps" else tensor.double()


def no_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Turn autocast off within a step of mixed precision, so that tensors keep their own types."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


class PreviewWriter(Protocol):
    """Writes previews to TensorBoard and to the run's `previews/` folder."""

    def figure(self, tag: str, figure: Any, full: Any = None, caption: str = "") -> None:
        """A matplotlib figure for a card of TensorBoard (`zoo.tasks.plots.card`); `full` is a
        detailed version, for a file only; `caption` says what the figure shows."""

    def frame(self, tag: str, draw: Callable[[], Any], caption: str = "") -> None:
        """The next frame of a film; `draw` makes the card, if it is wanted."""

    def text(self, tag: str, text: str) -> None:
        """A text, in Markdown."""


class Task(Protocol):
    """An objective. It may depend on `model.training`: evaluation may add costlier sums."""

    monitor: str  # "accuracy", or "-loss" where less is better

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Loss and metric sums of one batch."""

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Named metrics, from means of the sums and "loss", and "count", how many predictions."""

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Metrics too long for a log line, as JSON: per class, a confusion matrix. May be empty."""

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Write plots or texts that show what the model does.

        Args:
            model: In evaluation mode.
            batch: Up to a thousand samples of the split.
            means: Those of the evaluation, as `summarize` takes them.
            writer: Receives the figures and texts.
        """

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """One JSON-ready row per sample of a prepared batch without targets."""


@runtime_checkable
class HasTestStep(Protocol):
    """A task with sums that are too costly for validation, which is frequent."""

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """In place of `step` for the test split and for other data."""


class WholeBatchTask(Task, Protocol):
    """A task whose loss of one sample depends on the other samples of its batch.

    Its batches are never cut into micro-batches: `trainer.accumulate` is refused. Where ranks share
    a batch, `step` computes the loss of its own samples against the gathered features of all, and
    the gradient is that of one process with the whole batch. In evaluation the batch is the rank's
    own. Derive from this class, and in `step`:

        columns, start = self.gather(features)
        target = start + torch.arange(len(features), device=features.device)
    """

    whole_batch: bool = True

    def gather(self, features: Tensor) -> Gathered:
        """Features (N, ...) of all ranks, with their gradient; the trainer replaces this method
        where there are several."""
        return Gathered(features, 0)


@runtime_checkable
class SplitMetrics(Protocol):
    """A task with metrics of a whole split that do not follow from sums over predictions."""

    def split_metrics(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """Called once at the end of an evaluation; the result is added to the means that
        `summarize`, `details` and `preview` take.

        Args:
            rows: The `rows` of every step of every rank, in the order of the split, on the CPU.
        """


class Baseline(NamedTuple):
    """The trivial answer of a task, and what it reaches on one split.

    Attributes:
        name: What the answer is: `majority class`.
        metrics: By the names that `summarize` uses; some may be missing.
        hint: What to check where a run does not beat it; empty if the task has no advice.
    """

    name: str
    metrics: dict[str, float]
    hint: str = ""


@runtime_checkable
class HasBaseline(Protocol):
    """A task that states what a trivial answer reaches: one that does not look at the input.

    It is computed from the sums of an evaluation, to which `step` adds what is needed, and takes no
    pass over the data of its own.
    """

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """The baseline on the split that `means` were computed on; None if it is not known."""


@runtime_checkable
class LearnsBaseline(Protocol):
    """A task whose baseline follows from counts over the training split, such as of its tokens.

    Before they are known (`predict`, other data), the task has no baseline.
    """

    def baseline_counts(self, batch: Batch) -> Tensor:
        """Counts of one batch of the training split, to be added up over all batches."""

    def learn_baseline(self, counts: Tensor) -> None:
        """Called once, before the first evaluation, with their sum on the CPU."""


@runtime_checkable
class CountsPredictions(Protocol):
    """A task that may find nothing to predict in a batch: no token that can be masked, no pair.

    Before training, each split is checked to have at least one prediction.

    Attributes:
        why_none: Why a split may have none, and what to do about it, for the error message.
    """

    why_none: str

    def count(self, batch: Batch) -> Tensor:
        """Scalar, how many predictions an evaluation makes of a batch; needs no model."""


@runtime_checkable
class AcceptsTargets(Protocol):
    """A language model whose `forward(tokens, targets=)` returns the summed cross-entropy instead
    of logits, so that the logits of a whole batch need not be in memory at once."""

    accepts_targets: bool


@runtime_checkable
class ReadsDocuments(Protocol):
    """A model whose `forward(tokens, documents=)` keeps the documents of a packed row apart."""

    reads_documents: bool


@runtime_checkable
class GivesJoint(Protocol):
    """A classifier that is a model of inputs and classes together: `forward(x)` gives log p(x, y)
    of every class, `forward(x, target)` that of the target as training maximises it."""

    gives_joint: bool


@runtime_checkable
class HasPairs(Protocol):
    """A model with a weight for every pair of features."""

    def pair_weights(self) -> Tensor:
        """(O, F, F), O outputs, F features; symmetric."""


@runtime_checkable
class HasContext(Protocol):
    """A model of sequences that states how many tokens it reads at most; None for any number."""

    context: int | None


def accepts_targets(model: nn.Module) -> bool:
    """Whether `model(tokens, targets=)` returns the loss. Wrappers for several devices count as
    the model that they hold as `module`."""
    return isinstance(getattr(model, "module", model), AcceptsTargets)


def document_options(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Further arguments of a model that is called with the tokens `input` (B, T + 1) but the last:
    for packed rows, the document of each token.

    Raises:
        UserError: The model would read the documents of a row as one.
    """
    if "documents" not in batch:
        return {}
    network = getattr(model, "module", model)
    if not isinstance(network, ReadsDocuments):
        raise UserError(
            f"data.pack=true: {type(network).__name__} would read the conversations of a row as "
            f"one; leave it out, or take model=gpt, llama or deepseek"
        )
    return {"documents": batch["documents"][:, :-1]}


def gives_joint(model: nn.Module) -> bool:
    """Whether a model, or the one that a wrapper holds as `module`, gives log p(x, y)."""
    return isinstance(getattr(model, "module", model), GivesJoint)


def context_of(model: nn.Module) -> int | None:
    """The most tokens that a model reads at once, or None."""
    return model.context if isinstance(model, HasContext) else None
