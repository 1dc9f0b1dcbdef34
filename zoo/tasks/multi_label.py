"""Multi-label classification: any number of labels per sample, by binary cross-entropy.

Shapes: B batch, K labels, N samples of a split.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import multi_label
from zoo.tasks.plots.labels import label_plots


@TASKS.register("multi_label", model="mlp", example=multi_label, floor=0.1, independent=True)
class MultiLabel:
    """Binary cross-entropy of each label; F1 of each label, micro and macro F1, subset accuracy,
    average precision.

    Training minimises the weighted loss. Evaluation reports the plain one, the mean over samples
    and labels.

    Args:
        label_names: Of the K labels.
        label_counts: Training samples that have each label.
        num_samples: Training samples.
        threshold: The probability from which a label counts as predicted.
        pos_weight: Weight of the samples that have a label in its loss: null (1), `balanced` (as
            many as those that have it not) or a number for each label.
    """

    monitor = "average_precision"

    def __init__(
        self,
        label_names: list[str],
        label_counts: list[int],
        num_samples: int,
        threshold: float = 0.5,
        pos_weight: list[float] | Literal["balanced"] | None = None,
    ) -> None:
        if not 0 < threshold < 1:
            raise UserError(f"task.threshold: got {threshold}, expected a number between 0 and 1")
        self.names, self.threshold = label_names, threshold
        self.weights = self._weights(pos_weight, label_counts, num_samples)
        # One more of each kind, so that nothing has probability 0.
        self.shares = (torch.tensor(label_counts, dtype=torch.float64) + 1) / (num_samples + 2)
        self.always = self.shares >= threshold  # what the trivial answer says

    def _weights(
        self, setting: list[float] | Literal["balanced"] | None, counts: list[int], samples: int
    ) -> Tensor | None:
        if setting is None:
            return None
        if setting == "balanced":
            return torch.tensor([(samples - n) / n if 0 < n < samples else 1.0 for n in counts])
        if len(setting) != len(self.names) or not all(float(w) > 0 for w in setting):
            raise UserError(
                f"task.pos_weight: got {list(setting)}, expected {len(self.names)} numbers above "
                f"0, one for each of {', '.join(self.names)}"
            )
        return torch.tensor([float(weight) for weight in setting])

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, ...) and `target` (B, K), 0 or 1."""
        logits, target = model(batch["input"]).float(), batch["target"].float()  # (B, K)
        weights = None
        if self.weights is not None and model.training:
            weights = self.weights = self.weights.to(logits.device)  # once: a copy waits for a GPU
        loss = F.binary_cross_entropy_with_logits(
            logits, target, reduction="sum", pos_weight=weights
        )
        count = torch.full((), target.numel(), device=loss.device)
        self.always = self.always.to(target.device)  # once, in training
        with torch.no_grad():
            predicted = logits.sigmoid() >= self.threshold
            right = (predicted == target.bool()).all(1).sum() * len(self.names)
            sums = {"subset_accuracy": right}
            if weights is not None:  # as validation reports it
                sums["loss"] = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
            if model.training:
                return StepOutput(loss, count, sums)
            sums["always"] = (target.bool() == self.always).all(1).sum() * len(self.names)
            parts = (predicted * target, predicted.float(), target)
            sums["counts"] = torch.stack([part.sum(0) for part in parts])  # (3, K)
            return StepOutput(loss, count, sums, {"logits": logits, "target": target})

    def split_metrics(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """Average precision of each label, (K,); NaN of one that no sample has."""
        pairs = zip(rows["logits"].unbind(1), rows["target"].unbind(1), strict=True)
        return {"average_precision": torch.stack([average_precision(*pair) for pair in pairs])}

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss and subset accuracy; at evaluation F1 of all labels together (micro), its mean over
        labels (macro), and the mean average precision of the labels that occur."""
        metrics = {name: float(means[name]) for name in ("loss", "subset_accuracy")}
        if "counts" not in means:
            return metrics
        both, predicted, true = self._counts(means)
        total = predicted.sum() + true.sum()
        metrics["micro_f1"] = float(2 * both.sum() / total) if total else 0.0
        metrics["macro_f1"] = float(_f1(both, predicted, true).mean())
        if "average_precision" in means:
            known = means["average_precision"][~means["average_precision"].isnan()]
            metrics["average_precision"] = float(known.mean()) if len(known) else 0.0
        return metrics

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """Each label's share of the training samples as its probability, for every sample."""
        true, samples = self._counts(means)[2], means["count"] / len(self.names)
        shares, always = self.shares, (self.shares >= self.threshold).double()
        losses = true * shares.log() + (samples - true) * (1 - shares).log()
        trivial = {
            "loss": -losses.sum() / means["count"],
            "subset_accuracy": means["always"],
            "counts": torch.stack([true * always, samples * always, true]) / means["count"],
            "count": means["count"],
        }
        if "average_precision" in means:  # of equal scores it is the share of the label
            trivial["average_precision"] = (true / samples).where(true > 0, torch.nan)
        return Baseline("label frequencies", self.summarize(trivial))

    def _counts(self, means: dict[str, Tensor]) -> Tensor:
        """Samples with each label that were predicted so, predicted, and true ones; (3, K)."""
        return (means["counts"] * means["count"]).round()

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Precision, recall, F1, average precision and support of each label, and the share of
        samples that have it: the average precision of guessing."""
        both, predicted, true = self._counts(means)
        samples = float(means["count"]) / len(self.names)
        rows = zip(
            self.names,
            (both / predicted).nan_to_num().tolist(),
            (both / true).nan_to_num().tolist(),
            _f1(both, predicted, true).tolist(),
            means.get("average_precision", torch.full_like(true, torch.nan)).tolist(),
            true.tolist(),
            strict=True,
        )
        return {
            "labels": {
                name: {
                    "precision": precision,
                    "recall": recall,
                    "f1": f1,
                    "average_precision": found if found == found else None,
                    "prevalence": support / samples,
                    "support": int(support),
                }
                for name, precision, recall, f1, found, support in rows
            }
        }

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """F1 and average precision of each label."""
        label_plots(self.details(means)["labels"], writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """For each sample the labels above the threshold and the probability of every label."""
        for row in model(batch["input"]).float().sigmoid().tolist():
            probabilities = dict(zip(self.names, row, strict=True))
            chosen = [name for name, p in probabilities.items() if p >= self.threshold]
            yield {"labels": chosen, "probabilities": probabilities}


def average_precision(scores: Tensor, target: Tensor) -> Tensor:
    """The sum of precision times the rise of recall over all thresholds, as scikit-learn has it.

    Args:
        scores: (N,), higher for samples that are thought to have the label.
        target: 0 or 1, (N,).

    Returns:
        Scalar float64; NaN where no sample has the label.
    """
    order = scores.argsort(descending=True, stable=True)
    ranked, hits = scores[order], target[order].double()
    ends = torch.cat([ranked[1:] != ranked[:-1], torch.ones(1, dtype=torch.bool)])  # of equal ones
    found = hits.cumsum(0)[ends]
    precision = found / (ends.nonzero()[:, 0] + 1)
    rise = found.diff(prepend=found.new_zeros(1)) / hits.sum()
    return (precision * rise).sum()


def _f1(both: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """2 TP / (predicted + true); 0 where there are neither."""
    return (2 * both / (predicted + true)).nan_to_num()
