"""Joint likelihood: a classifier that is trained as a model of the inputs too, by -log p(x, y).

Where `classification` asks only for p(y | x), this asks how likely the whole sample is (Ng and
Jordan, 2001, https://papers.nips.cc/paper/2020-on-discriminative-vs-generative-classifiers).
Shapes: B batch, K classes, D features.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput, gives_joint
from zoo.tasks.classification import Classification
from zoo.tasks.examples import classification
from zoo.tasks.pixels import to_draw
from zoo.tasks.plots.class_means import draw_class_means


@TASKS.register("joint_likelihood", example=classification, floor=6.0, independent=True)
class JointLikelihood(Classification):
    """-log p(x, y), a density, so it may be below 0; and what `classification` reports.

    `cross_entropy` is -log p(y | x), with p(y | x) by Bayes' rule: what a classifier's loss is.

    Args:
        num_classes: K.
        class_names: Of the K classes.
        class_counts: Samples of each class in the training split.
        feature_names, feature_scales, pixel_mean, pixel_std: As in `Classification`.
    """

    def __init__(
        self,
        num_classes: int,
        class_names: list[str],
        class_counts: list[int],
        feature_names: list[str] | None = None,
        feature_scales: list[list[float]] | None = None,
        pixel_mean: list[float] | None = None,
        pixel_std: list[float] | None = None,
    ) -> None:
        super().__init__(
            num_classes,
            class_names,
            class_counts,
            feature_names=feature_names,
            feature_scales=feature_scales,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
        )

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, ...) and `target` (B,) int64.

        Raises:
            UserError: The model gives no p(x, y).
        """
        if model.training and not gives_joint(model):
            raise UserError(
                "task=joint_likelihood needs a model of inputs and classes together, such as "
                "model=naive_bayes; for one that gives p(class | input) take task=classification"
            )
        x, target = batch["input"], batch["target"]
        count = torch.full((), len(target), device=target.device)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not model.training):
            joint = model(x).float()  # (B, K)
        sums = {"accuracy": (joint.argmax(1) == target).sum()}
        loss = F.nll_loss(joint, target, reduction="sum")
        if model.training:
            sums["loss"] = loss  # as validation: without the smoothing that training adds
            return StepOutput(-model(x, target).float().sum(), count, sums)
        sums |= self._evaluation_sums(joint, target)
        sums["cross_entropy"] = F.cross_entropy(joint, target, reduction="sum")
        sums["one_gaussian"] = 0.5 * (x.float().square() + math.log(2 * math.pi)).sum()
        return StepOutput(loss, count, sums, self._rows(joint, target))

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """As of a classifier, with both losses."""
        return super().summarize({n: mean for n, mean in means.items() if n != "one_gaussian"})

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """The most frequent class, and one normal distribution of mean 0 and variance 1 for all."""
        trivial = super().baseline(means)
        entropy = trivial.metrics["loss"]
        loss = {"loss": entropy + float(means["one_gaussian"]), "cross_entropy": entropy}
        return trivial._replace(metrics=trivial.metrics | loss)

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """As of a classifier; of images also the mean of each class."""
        super().preview(model, batch, means, writer)
        shape = batch["input"].shape[1:]
        class_means: Any = getattr(model, "mean", None)
        if len(shape) == 3 and isinstance(class_means, Tensor):
            images = class_means.detach().view(-1, *shape)
            images = to_draw(images, self.pixel_mean, self.pixel_std)
            draw_class_means(images, self.class_names, writer)
