"""Classification: one class per sample, by cross-entropy."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Batch, Points, PreviewWriter, StepOutput
from zoo.tasks.examples import classification
from zoo.tasks.features import class_points
from zoo.tasks.plots.predictions import classification_plots

TOP_K = 5
TOP_K_FROM = 10  # classes; with fewer, top-5 accuracy says little


@TASKS.register("classification", example=classification, floor=0.1, independent=True)
class Classification:
    """Cross-entropy over classes; accuracy, metrics per class, a confusion matrix.

    Training minimises the smoothed, weighted loss. Evaluation reports plain cross-entropy, so that
    runs with different smoothing or weights can be compared.

    Args:
        num_classes: K.
        class_names: Of the K classes.
        class_counts: Samples of each class in the training split, for `class_weights=balanced`.
        label_smoothing: Fraction of the target spread over all classes (Szegedy et al., 2016,
            arXiv:1512.00567).
        class_weights: Weight of each class's samples in the loss: null (equal weights), `balanced`
            (inverse to their number) or a list. Scaled to a mean of 1 over the training samples,
            so that a learning rate means the same with any weights.
        feature_names: Of a table's columns, for the axes of plots.
        feature_scales: Mean and standard deviation of each column before standardisation; likewise.
    """

    monitor = "accuracy"

    def __init__(
        self,
        num_classes: int,
        class_names: list[str],
        class_counts: list[int],
        label_smoothing: float = 0.0,
        class_weights: list[float] | Literal["balanced"] | None = None,
        feature_names: list[str] | None = None,
        feature_scales: list[list[float]] | None = None,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise UserError(f"task.label_smoothing: got {label_smoothing}, expected 0 to below 1")
        self.num_classes = num_classes
        self.class_names = class_names
        self.feature_names, self.feature_scales = feature_names, feature_scales
        self.label_smoothing = label_smoothing
        self.weights = self._weights(class_weights, class_counts)

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
        with torch.no_grad():
            sums = {"accuracy": (logits.argmax(1) == target).sum()}
        if not model.training:
            loss = F.cross_entropy(logits, target, reduction="sum")
            sums |= self._evaluation_sums(logits, target)
        elif self.weights is None:
            loss = F.cross_entropy(
                logits, target, reduction="sum", label_smoothing=self.label_smoothing
            )
        else:
            losses = F.cross_entropy(
                logits, target, reduction="none", label_smoothing=self.label_smoothing
            )
            self.weights = self.weights.to(losses.device)  # once: a copy waits for a GPU
            loss = (losses * self.weights[target]).sum()
        return StepOutput(loss, torch.full((), len(target), device=loss.device), sums)

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
        """Loss and accuracies; `details` has the confusion matrix."""
        omitted = ("confusion", "count")
        return {name: float(mean) for name, mean in means.items() if name not in omitted}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Precision, recall, F1 and support of each class, and the confusion matrix as counts."""
        counts = (means["confusion"] * means["count"]).round().long()  # [true, predicted]
        columns = (x.tolist() for x in (counts.diag(), counts.sum(1), counts.sum(0)))
        classes = {}
        for name, correct, true, predicted in zip(self.class_names, *columns):
            classes[name] = {
                "precision": correct / predicted if predicted else 0.0,
                "recall": correct / true if true else 0.0,
                "f1": 2 * correct / (true + predicted) if true + predicted else 0.0,
                "support": true,
            }
        return {"classes": classes, "confusion": counts.tolist()}

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
        )

    def points(self, model: nn.Module, batch: Batch) -> Points | None:
        """What the output layer reads, for each sample."""
        return class_points(model, batch["input"], batch["target"], self.class_names)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """For each sample the predicted class and the probability of every class."""
        for row in model(batch["input"]).float().softmax(1).tolist():
            best = max(range(len(row)), key=row.__getitem__)
            yield {
                "class": self.class_names[best],
                "probability": row[best],
                "probabilities": dict(zip(self.class_names, row)),
            }
