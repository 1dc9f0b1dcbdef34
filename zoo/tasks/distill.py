"""Distillation: a network learns from what a larger one makes of the same inputs.

Hinton et al., 2015, https://arxiv.org/abs/1503.02531. The teacher's probabilities at a temperature
t say which wrong answers are nearly right; the student is to give the same ones:

    loss = labels * cross-entropy of the labels
         + (1 - labels) * t^2 * KL(softmax(teacher / t) || softmax(student / t))

The factor t^2 keeps both terms' gradients of the same size at any temperature (section 2.1).
Differs from the paper: the divergence in place of the cross-entropy to the teacher, which differs
by a constant, so that a student like its teacher has loss 0.
Shapes: B batch, M predictions (samples, or tokens), K outputs (classes, or the vocabulary).
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.inference.expert_load import counted_experts
from zoo.phrases import first_few
from zoo.registry import TASKS
from zoo.restandardise import feature_rescaling, pixel_rescaling
from zoo.tasks.base import Baseline, Batch, StepOutput, Task, document_options
from zoo.tasks.causal_lm import CausalLM
from zoo.tasks.classification import Classification
from zoo.tasks.examples import distillation

OWN = ("agreement", "teacher_accuracy", "usual_agreement")  # sums that its task does not know


class Known(nn.Module):
    """Outputs of a model that are computed already, in its place.

    Args:
        outputs: What the model said.
        training: Whether it is in training.
    """

    def __init__(self, outputs: Tensor, training: bool) -> None:
        super().__init__()
        self.outputs = outputs
        self.train(training)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs."""
        return self.outputs


class Distilled:
    """The part that classifiers and language models share; their own task follows it as a base.

    Attributes:
        teacher: Frozen.
        temperature: t.
        labels: Weight of the labels.
        scale, shift: From inputs as standardised here to such as the teacher knows.
    """

    teacher: nn.Module
    temperature: float
    labels: float
    scale: Tensor | None = None
    shift: Tensor | None = None

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """As of its own task; in training the loss is that of the distillation."""
        x = self.model_input(batch)
        with counted_experts(model, batch.get("scored")):
            logits = model(x, **document_options(model, batch))  # (B, ..., K)
        with torch.no_grad():
            teacher = self._ask(x, document_options(self.teacher, batch))
        if teacher.shape != logits.shape:
            raise UserError(
                f"task=distill: the teacher's outputs have the shape {tuple(teacher.shape[1:])} a "
                f"sample, the student's {tuple(logits.shape[1:])}; take a teacher of the same task"
            )
        student, teacher = (x.float().flatten(0, -2) for x in (logits, teacher))  # (M, K)
        target = self.answers(batch)  # (M,)
        counted = torch.ones_like(target, dtype=torch.bool)
        if "scored" in batch:
            counted = batch["scored"].flatten()
        # Before the labels' loss, which may overwrite the logits with their gradient.
        if model.training:
            soft = divergences(student, teacher, self.temperature)
            soft = (soft * counted).sum() * self.temperature**2
        else:
            compared = self._comparison(student, teacher, target, counted)
        known = {name: column for name, column in batch.items() if name != "documents"}
        plain = super().step(Known(logits, model.training), known)  # type: ignore[misc]
        if not model.training:
            plain.sums.update(compared)
            return plain
        loss = self.labels * plain.loss_sum + (1 - self.labels) * soft
        return plain._replace(
            loss_sum=loss, sums={"loss": plain.loss_sum.detach()} | plain.sums
        )  # the loss that is reported is the labels', as in validation

    def _ask(self, x: Tensor, options: dict[str, Tensor]) -> Tensor:
        if self.scale is not None and self.shift is not None and x.is_floating_point():
            self.scale, self.shift = self.scale.to(x.device), self.shift.to(x.device)
            x = x * self.scale + self.shift
        return self.teacher(x, **options)

    def _comparison(
        self, student: Tensor, teacher: Tensor, target: Tensor, counted: Tensor
    ) -> dict[str, Tensor]:
        said = teacher.argmax(1)
        sums = {
            "agreement": ((student.argmax(1) == said) & counted).sum(),
            "teacher_accuracy": ((said == target) & counted).sum(),
        }
        usual = self.usual_answer()
        if usual is not None:
            sums["usual_agreement"] = ((said == usual) & counted).sum()
        return sums

    def model_input(self, batch: Batch) -> Tensor:
        """What both networks read."""
        return batch["input"]

    def answers(self, batch: Batch) -> Tensor:
        """The right answers, int64 (M,)."""
        return batch["target"]

    def usual_answer(self) -> int | None:
        """The most frequent answer of the training split, if it is known."""
        raise NotImplementedError

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """As of its own task; in evaluation how often the student says what the teacher says, and
        how often that is right."""
        own = super().summarize({n: m for n, m in means.items() if n not in OWN})  # type: ignore[misc]
        return own | {name: float(means[name]) for name in OWN[:2] if name in means}

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """As of its own task."""
        trivial = super().baseline({n: m for n, m in means.items() if n not in OWN})  # type: ignore[misc]
        if trivial is None or "usual_agreement" not in means:
            return trivial
        more = {
            "agreement": float(means["usual_agreement"]),
            "teacher_accuracy": float(means["teacher_accuracy"]),
        }
        return trivial._replace(metrics=trivial.metrics | more)


def divergences(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL(softmax(teacher / t) || softmax(student / t)) of each row: (M, K) twice to (M,)."""
    student, teacher = ((x / temperature).log_softmax(1) for x in (student, teacher))
    return F.kl_div(student, teacher, reduction="none", log_target=True).sum(1)


class DistilledClassifier(Distilled, Classification):  # type: ignore[misc]  # baseline may be None
    """A classifier that learns from another one."""

    predicts_as = "classification"  # for exports

    def usual_answer(self) -> int | None:
        """The most frequent class."""
        return int(self.counts.argsort(descending=True, stable=True)[0])


class DistilledLM(Distilled, CausalLM):
    """A language model that learns from another one of the same vocabulary."""

    predicts_as = "causal_lm"

    def model_input(self, batch: Batch) -> Tensor:
        """All tokens but the last, (B, T)."""
        return batch["input"][:, :-1]

    def answers(self, batch: Batch) -> Tensor:
        """All tokens but the first, (B T,)."""
        return batch["input"][:, 1:].flatten()

    def usual_answer(self) -> int | None:
        """The most frequent token."""
        return None if self.unigram is None else self.unigram.most_frequent


@TASKS.register("distill", model="mlp", example=distillation, floor=0.3, independent=True)
def distill(
    teacher: nn.Module,
    teacher_facts: dict[str, Any] | None = None,
    num_classes: int | None = None,
    class_names: list[str] | None = None,
    class_counts: list[int] | None = None,
    feature_names: list[str] | None = None,
    feature_scales: list[list[float]] | None = None,
    pixel_mean: list[float] | None = None,
    pixel_std: list[float] | None = None,
    token_bytes: list[int] | None = None,
    tokenizer: Any = None,
    eot_id: int | None = None,
    template: str | None = None,
    chat: Any = None,
    temperature: float = 2.0,
    labels: float = 0.5,
) -> Task:
    """`classification` or `causal_lm`, whichever the data is for, with a teacher.

    Args:
        teacher: The network of `teacher.from`.
        teacher_facts: Of the data that it was trained on.
        num_classes, class_names, class_counts, feature_names, feature_scales: As in
            `Classification`.
        pixel_mean, pixel_std: Of each channel, by which this data is standardised.
        token_bytes, tokenizer, eot_id, template, chat: As in `CausalLM`.
        temperature: t, of both networks' probabilities.
        labels: Weight of the labels in the loss; the rest is the teacher's.

    Raises:
        UserError: Data that is neither for classifiers nor language models; a teacher of other
            classes; an option out of range.
    """
    if not 0 < temperature < math.inf:
        raise UserError(f"task.temperature={temperature}: expected a number above 0")
    if not 0 <= labels < 1:
        raise UserError(f"task.labels={labels}: expected 0 to below 1, the weight of the labels")
    facts = teacher_facts or {}
    task: DistilledClassifier | DistilledLM
    if num_classes is not None and class_names is not None and class_counts is not None:
        _check_names("classes", facts.get("class_names", class_names), class_names)
        _check_names("columns", facts.get("feature_names", feature_names), feature_names)
        task = DistilledClassifier(
            num_classes,
            class_names,
            class_counts,
            feature_names=feature_names,
            feature_scales=feature_scales,
            pixel_mean=pixel_mean,
            pixel_std=pixel_std,
        )
        if feature_scales is not None:
            task.scale, task.shift = feature_rescaling(feature_scales, facts)
        elif pixel_mean is not None:
            task.scale, task.shift = pixel_rescaling(pixel_mean, pixel_std, facts)
    elif token_bytes is not None:
        task = DistilledLM(token_bytes, tokenizer, eot_id, template, chat)
    else:
        raise UserError(
            "task=distill needs samples of one class each, or running text; take such data"
        )
    task.teacher, task.temperature, task.labels = teacher, temperature, labels
    return task


def _check_names(what: str, there: list[str] | None, here: list[str] | None) -> None:
    if there == here:
        return
    theirs, ours = (
        f"{len(names or [])} ({first_few(names or ['none'])})" for names in (there, here)
    )
    raise UserError(
        f"task=distill: the network of teacher.from knows {theirs} {what}, the data has {ours}; "
        f"train a teacher on the same {what}"
    )
