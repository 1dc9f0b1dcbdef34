"""Bits of a sequence, step by step: what a network has remembered.

Shapes: B sequences, T steps, C input values, O bits of a step, H heads, N slots of a memory.
"""

import math
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.examples import bits
from zoo.tasks.plots.remembered import remembered_plots


@runtime_checkable
class MovesHeads(Protocol):
    """A model with heads on a memory.

    Attributes:
        readers: How many of the heads read; they are the first.
    """

    readers: int

    def run(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) to logits (B, T, O) and the weights of the heads (B, T, H, N)."""


@TASKS.register("bits", example=bits, floor=0.1, independent=True)
class Bits:
    """Binary cross-entropy of each bit that is asked for; wrong bits, whole answers right."""

    monitor = "-loss"

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over the bits of `target` (B, T, O), 0 or 1, at the steps that `scored` marks, bool
        (B, T); `input` is (B, T, C)."""
        target, scored = batch["target"].float(), batch["scored"][..., None]
        logits = model(batch["input"]).float()
        losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        count = scored.sum() * target.shape[-1]
        with torch.no_grad():
            wrong = ((logits > 0) != (target > 0.5)) & scored  # (B, T, O)
            sums = {"wrong_bits": wrong.sum()}
            if not model.training:
                asked = scored.flatten(1).any(1)
                sums["answers"] = asked.sum()
                sums["exact_match"] = (asked & ~wrong.flatten(1).any(1)).sum()
                ones = (target > 0.5) & scored
                sums["ones"] = ones.sum()
                sums["only_zeros"] = (asked & ~ones.flatten(1).any(1)).sum()
        return StepOutput((losses * scored).sum(), count, sums)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss in nats a bit, the share of wrong bits; in evaluation that of answers without."""
        metrics = {name: float(means[name]) for name in ("loss", "wrong_bits")}
        if "answers" in means:
            metrics["exact_match"] = float(means["exact_match"] / means["answers"])
        return metrics

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """Always 0, at even odds."""
        metrics = {"loss": math.log(2), "wrong_bits": float(means["ones"])}
        metrics["exact_match"] = float(means["only_zeros"] / means["answers"])
        return Baseline("always 0", metrics)

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The longest sequence with its answer, and where the heads were at each step."""
        longest = int(batch["scored"].sum(1).argmax())
        one = {name: column[longest : longest + 1] for name, column in batch.items()}
        end = int(one["scored"][0].nonzero()[-1]) + 1
        shown = one["input"][:, :end]
        if isinstance(model, MovesHeads):
            logits, heads = (outputs[0].float().cpu() for outputs in model.run(shown))
            reads, writes = heads[:, : model.readers], heads[:, model.readers :]
        else:
            logits = model(shown)[0].float().cpu()
            reads = writes = torch.zeros(end, 0, 0)
        asked = one["scored"][0, :end].cpu()
        remembered_plots(
            shown[0].cpu(), one["target"][0, :end].cpu(), logits.sigmoid(), asked, reads, writes,
            writer,
        )  # fmt: skip

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The bits of each answer, and the probability of all of them together."""
        shares = model(batch["input"]).float().sigmoid()  # (B, T, O)
        scored = batch.get("scored", torch.ones(shares.shape[:2], dtype=torch.bool))
        for share, asked in zip(shares, scored.to(shares.device), strict=True):
            chosen = share[asked]
            vectors = ["".join("01"[bit] for bit in row) for row in (chosen > 0.5).int().tolist()]
            sure = torch.maximum(chosen, 1 - chosen).log().sum().exp()
            yield {"answer": " ".join(vectors), "probability": float(sure)}
