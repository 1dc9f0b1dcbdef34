"""Classification: one class per sample, by cross-entropy."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.capabilities import Points
from zoo.tasks.class_metrics import balanced_accuracy, class_rows, macro_f1, roc_auc
from zoo.tasks.examples import classification
from zoo.tasks.features import class_points
from zoo.tasks.pixels import to_draw
from zoo.tasks.plots.predictions import classification_plots
from zoo.tasks.plots.surface import surface_frame

TOP_K = 5
TOP_K_FROM = 10  # classes; with fewer, top-5 accuracy says little
IMBALANCED = 0.7  # share of one class from which it is named as a likely reason


@TASKS.register("classification", example=classification, floor=0.1, independent=True)
class Classification:
    """Cross-entropy over classes; accuracy, balanced accuracy, macro F1, of two classes the area
    under the ROC curve; metrics per class, a confusion matrix.

    Training minimises the smoothed, weighted loss. What is reported is plain cross-entropy, so that
    training can be compared with validation, and runs with different smoothing or weights.

    Args:
        num_classes: K.
        class_names: Of the K classes.
        class_counts: Samples of each class in the training split, for `class_weights=balanced`.
        label_smoothing: Fraction of the target spread over all classes (Szegedy et al., 2016,
            arXiv:1512.00567).
        class_weights: Weight of each class's samples in the loss: null (equal weights), `balanced`
            (inverse to their number) or a list. Scaled to a mean of 1 over the training samples,
            so that a learning rate means the same with any weights. With `balanced` the best
            weights are those of the best balanced accuracy.
        feature_names: Of a table's columns, for the axes of plots.
        feature_scales: Mean and standard deviation of each column before standardisation; likewise.
        pixel_mean, pixel_std: Of each channel of images, by which they are standardised; likewise.
    """

    monitor: str = "accuracy"

    def __init__(
        self,
        num_classes: int,
        class_names: list[str],
        class_counts: list[int],
        label_smoothing: float = 0.0,
        class_weights: list[float] | Literal["balanced"] | None = None,
        feature_names: list[str] | None = None,
        feature_scales: list[list[float]] | None = None,
        pixel_mean: list[float] | None = None,
        pixel_std: list[float] | None = None,
    ) -> None:
        if num_classes < 2:
            raise UserError(
                f"all samples are of one class, {', '.join(class_names)!r}; expected two classes "
                "or more (of images a subfolder for each, or a list: data.labels=labels.csv)"
            )
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing: got {label_smoothing}, expected 0 to below 1")
        self.num_classes = num_classes
        self.class_names = class_names
        self.feature_names, self.feature_scales = feature_names, feature_scales
        self.pixel_mean, self.pixel_std = pixel_mean, pixel_std
        self.label_smoothing = label_smoothing
        self.counts = torch.tensor(class_counts, dtype=torch.float64)
        self.weights = self._weights(class_weights, class_counts)
        if class_weights == "balanced":
            self.monitor = "balanced_accuracy"

    def _weights(
        self, setting: list[float] | Literal["balanced"] | None, class_counts: list[int]
    ) -> Tensor | None:
        if setting is None:
            return None
        counts = torch.tensor(class_counts, dtype=torch.float32)
        weights = 1 / counts.clamp(min=1) if setting == "balanced" else torch.tensor(setting)
        is_usable = len(weights) == self.num_classes and not bool((weights < 0).any())
        if not is_usable or not bool((weights * counts).sum() > 0):
            raise UserError(
                f"task.class_weights: got {list(setting)}, expected {self.num_classes} numbers, "
                f"none negative and not all zero, one for each of {', '.join(self.class_names)}"
            )
        return weights * counts.sum() / (weights * counts).sum()

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, ...) and `target` (B,) int64."""
        logits, target = model(batch["input"]).float(), batch["target"]  # (B, K)
        count = torch.full((), len(target), device=logits.device)
        with torch.no_grad():
            sums = {"accuracy": (logits.argmax(1) == target).sum()}
        if not model.training:
            loss = F.cross_entropy(logits, target, reduction="sum")
            sums |= self._evaluation_sums(logits, target)
            return StepOutput(loss, count, sums, self._rows(logits, target))
        if self.weights is None:
            loss = F.cross_entropy(
                logits, target, reduction="sum", label_smoothing=self.label_smoothing
            )
        else:
            losses = F.cross_entropy(
                logits, target, reduction="none", label_smoothing=self.label_smoothing
            )
            self.weights = self.weights.to(losses.device)  # once: a copy waits for a GPU
            loss = (losses * self.weights[target]).sum()
        if self.label_smoothing or self.weights is not None:
            sums["loss"] = F.cross_entropy(
                logits.detach(), target, reduction="sum"
            )  # as validation
        return StepOutput(loss, count, sums)

    def _rows(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What the ROC curve of two classes is made of."""
        if self.num_classes != 2:
            return {}
        return {"score": logits[:, 1] - logits[:, 0], "positive": target == 1}

    def split_metrics(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """The area under the ROC curve, of two classes; NaN where the split has one of them."""
        return {"auc": roc_auc(rows["score"], rows["positive"])} if rows else {}

    def _evaluation_sums(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        pairs = target * self.num_classes + logits.argmax(1)
        # torch.bincount would make a GPU wait, to know the largest number.
        counts = pairs.new_zeros(self.num_classes**2).scatter_add_(0, pairs, torch.ones_like(pairs))
        sums = {"confusion": counts.view(self.num_classes, self.num_classes)}  # [true, predicted]
        if self.num_classes >= TOP_K_FROM:
            top = logits.topk(TOP_K, dim=1).indices  # (B, 5)
            sums["top5_accuracy"] = (top == target[:, None]).any(1).sum()
        return sums

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss and accuracies, macro F1, AUC; `details` has the confusion matrix."""
        omitted = ("confusion", "count", "auc")
        metrics = {name: float(mean) for name, mean in means.items() if name not in omitted}
        if "confusion" in means:
            counts = self._confusion(means)
            metrics["balanced_accuracy"] = balanced_accuracy(counts)
            metrics["macro_f1"] = macro_f1(counts)
        if "auc" in means:
            metrics["auc"] = float(means["auc"])
        return metrics

    def _confusion(self, means: dict[str, Tensor]) -> Tensor:
        """Samples by true and predicted class, float64 (K, K)."""
        return (means["confusion"] * means["count"]).round()

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """The most frequent class of the training split; for the loss, the classes' shares there,
        each class counted once more, so that none has probability 0."""
        true, order = (
            self._confusion(means).sum(1),
            self.counts.argsort(descending=True, stable=True),
        )
        always = torch.zeros_like(means["confusion"])
        always[:, order[0]] = true / true.sum()
        shares = (self.counts + 1) / (self.counts + 1).sum()
        trivial = {
            "loss": -(true * shares.log()).sum() / true.sum(),
            "accuracy": true[order[0]] / true.sum(),
            "confusion": always,
            "count": means["count"],
        }
        if "top5_accuracy" in means:
            trivial["top5_accuracy"] = true[order[:TOP_K]].sum() / true.sum()
        if "auc" in means:
            trivial["auc"] = means["auc"] * 0 + 0.5  # NaN remains
        return Baseline("majority class", self.summarize(trivial), self._hint())

    def _hint(self) -> str:
        largest = int(self.counts.argmax())
        share = float(self.counts[largest] / self.counts.sum())
        if share < IMBALANCED or self.weights is not None:
            return ""
        return (
            f"the classes are imbalanced ({share:.1%} are {self.class_names[largest]}; set "
            f"task.class_weights=balanced)"
        )

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Precision, recall, F1 and support of each class, and the confusion matrix as counts."""
        counts = self._confusion(means).long()
        return {"classes": class_rows(counts, self.class_names), "confusion": counts.tolist()}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Confusion matrix, worst errors (images), decision surface (two features), filters."""
        classification_plots(
            model,
            batch,
            means,
            self.class_names,
            writer,
            self.feature_names,
            self.feature_scales,
            to_draw(batch["input"], self.pixel_mean, self.pixel_std),
        )

    def points(self, model: nn.Module, batch: Batch) -> Points | None:
        """What the output layer reads, for each sample."""
        return class_points(model, batch["input"], batch["target"], self.class_names)

    @property
    def films(self) -> bool:
        """Whether the data has two features, whose plane can be drawn."""
        return len(self.feature_names or ()) == 2

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The decision surface."""
        facts = (self.class_names, self.feature_names, self.feature_scales)
        surface_frame(model, batch["input"], batch["target"], *facts, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """For each sample the predicted class and the probability of every class."""
        for row in model(batch["input"]).float().softmax(1).tolist():
            best = max(range(len(row)), key=row.__getitem__)
            yield {
                "class": self.class_names[best],
                "probability": row[best],
                "probabilities": dict(zip(self.class_names, row)),
            }
