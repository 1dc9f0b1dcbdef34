"""Regression: one or more numbers per sample."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.registry import TASKS
from zoo.tasks.base import Batch, PreviewWriter, StepOutput, to_float64
from zoo.tasks.examples import regression
from zoo.tasks.plots.predictions import regression_plots

LossName = Literal["squared", "absolute", "huber"]
_LOSSES: dict[str, Callable[..., Tensor]] = {
    "squared": F.mse_loss,
    "absolute": F.l1_loss,
    "huber": F.huber_loss,
}


@TASKS.register("regression", model="mlp", example=regression, floor=0.1, independent=True)
class Regression:
    """Squared, absolute or Huber loss on standardised targets; RMSE, MAE in the target's units.

    Args:
        target_mean, target_std: Of the targets before standardisation.
        num_outputs: Numbers to predict per sample.
        loss: `squared`, `absolute` (robust to outliers) or `huber` (Huber, 1964: squared near zero,
            absolute from one standard deviation on).
    """

    monitor = "-loss"

    def __init__(
        self,
        target_mean: float,
        target_std: float,
        num_outputs: int = 1,
        loss: LossName = "squared",
    ) -> None:
        self.mean, self.std = target_mean, target_std
        self.num_outputs = num_outputs
        self.loss = _LOSSES[loss]

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, ...) and `target` (B, O), standardised."""
        output, target = model(batch["input"]).float(), batch["target"]  # (B, O)
        with torch.no_grad():
            error = to_float64(output) - to_float64(target)
            sums = {"squared_error": error.square().sum(), "absolute_error": error.abs().sum()}
            if not model.training:
                wide = to_float64(target)
                sums |= {"y": wide.sum(), "y_squared": wide.square().sum()}
        loss = self.loss(output, target, reduction="sum")
        return StepOutput(loss, torch.full((), target.numel(), device=loss.device), sums)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss (standardised), RMSE and MAE (in the target's units), R² (at evaluation)."""
        squared = float(means["squared_error"])
        metrics = {
            "loss": float(means["loss"]),
            "rmse": squared**0.5 * self.std,
            "mae": float(means["absolute_error"]) * self.std,
        }
        if "y" in means:
            variance = float(means["y_squared"]) - float(means["y"]) ** 2
            metrics["r2"] = 1 - squared / variance if variance > 0 else float("nan")
        return metrics

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """No further metrics."""
        return {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Predicted against true values."""
        predicted = model(batch["input"]).float() * self.std + self.mean
        regression_plots(predicted, batch["target"] * self.std + self.mean, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The value of each sample, in the target's units."""
        for row in (model(batch["input"]).float() * self.std + self.mean).tolist():
            yield {"value": row[0] if len(row) == 1 else row}
