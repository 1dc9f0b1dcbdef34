"""Regression: one or more numbers per sample.

Shapes: B batch, O targets.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput, to_float64
from zoo.tasks.examples import regression
from zoo.tasks.plots.fit import FILM, FIT, TRUE, Fit, draw_fit, fit_card, fitted
from zoo.tasks.plots.pairs import draw_pairs
from zoo.tasks.plots.regression import regression_plots
from zoo.tasks.plots.weights import draw_table_weights

MOST_NAMED = 8  # targets with curves and lines of their own; `details` has those of any number
MOST_PLOTS = 6
LossName = Literal["squared", "absolute", "huber"]
_LOSSES: dict[str, Callable[..., Tensor]] = {
    "squared": F.mse_loss,
    "absolute": F.l1_loss,
    "huber": F.huber_loss,
}


@TASKS.register("regression", model="mlp", example=regression, floor=0.1, independent=True)
class Regression:
    """Squared, absolute or Huber loss on standardised targets; RMSE, MAE in the target's units.

    Several targets have metrics of their own, such as `rmse/price`, since a mean over units says
    nothing; the loss and `r2`, which have none, are means over the targets.

    Args:
        target_mean, target_std: Of the targets before standardisation; a list for several.
        num_outputs: Numbers to predict per sample.
        target_names: Of several targets.
        loss: `squared`, `absolute` (robust to outliers) or `huber` (Huber, 1964: squared near zero,
            absolute from one standard deviation on).
        feature_names, feature_scales: Of a table's columns, for plots: names, and mean and standard
            deviation of each.
        true_curve: Points of the function of one feature, where the data knows it, for the plot.
    """

    monitor = "-loss"

    def __init__(
        self,
        target_mean: float | list[float],
        target_std: float | list[float],
        num_outputs: int = 1,
        target_names: list[str] | None = None,
        loss: LossName = "squared",
        feature_names: list[str] | None = None,
        feature_scales: list[list[float]] | None = None,
        true_curve: list[list[float]] | None = None,
    ) -> None:
        self.mean, self.std = target_mean, target_std
        self.num_outputs, self.feature_names = num_outputs, feature_names
        self.names = target_names if target_names and len(target_names) > 1 else None
        self.loss = _LOSSES[loss]
        self.feature_scales, self.true_curve = feature_scales, true_curve

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, ...) and `target` (B, O), standardised."""
        output, target = model(batch["input"]).float(), batch["target"]  # (B, O)
        with torch.no_grad():
            error = to_float64(output) - to_float64(target)
            sums = {"squared_error": error.square(), "absolute_error": error.abs()}
            if not model.training:
                wide = to_float64(target)
                sums |= {"y": wide, "y_squared": wide.square(), "y_absolute": wide.abs()}
                zero = torch.zeros_like(target)  # the mean of the training split, as targets are
                sums["mean_loss"] = self.loss(zero, target, reduction="none")
            sums = {name: x.sum(0) if self.names else x.sum() for name, x in sums.items()}
        loss = self.loss(output, target, reduction="sum")
        return StepOutput(loss, torch.full((), target.numel(), device=loss.device), sums)

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Loss (standardised), RMSE and MAE (in the target's units), R² (at evaluation)."""
        metrics = {"loss": float(means["loss"])}
        if self.names is None:
            assert not isinstance(self.std, list)
            return metrics | _errors({n: float(x) for n, x in means.items()}, self.std)
        by_target = self._by_target(means)
        if "y" in means:
            metrics["r2"] = sum(row["r2"] for row in by_target.values()) / len(by_target)
        if len(by_target) <= MOST_NAMED:
            for name, row in by_target.items():
                metrics |= {f"{metric}/{name}": value for metric, value in row.items()}
        return metrics

    def _by_target(self, means: dict[str, Tensor]) -> dict[str, dict[str, float]]:
        """The metrics of each of several targets."""
        assert self.names is not None and isinstance(self.std, list)
        sums = {n: (x * len(self.names)).tolist() for n, x in means.items() if x.dim() == 1}
        return {
            name: _errors({n: row[k] for n, row in sums.items()}, self.std[k])
            for k, name in enumerate(self.names)
        }

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """The mean of the training targets, whatever the input: 0, as they are standardised."""
        as_errors = {"squared_error": means["y_squared"], "absolute_error": means["y_absolute"]}
        loss = means["mean_loss"].sum()
        return Baseline("mean target", self.summarize(means | as_errors | {"loss": loss}))

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """The metrics of each of several targets."""
        return {"targets": self._by_target(means)} if self.names else {}

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Predicted against true values, the errors, the weights of a table's columns."""
        predicted, target = self._in_units(model(batch["input"])), self._in_units(batch["target"])
        centre = self.mean if isinstance(self.mean, list) else [self.mean]
        if self.names is None:
            regression_plots(predicted, target, centre, writer)
        for k, name in list(enumerate(self.names or []))[:MOST_PLOTS]:
            one = slice(k, k + 1)
            regression_plots(predicted[:, one], target[:, one], centre[one], writer, name)
        draw_table_weights(model, batch["input"], self.feature_names, None, writer)
        draw_pairs(model, batch["input"], self.feature_names, None, writer)
        if self.films:
            draw_fit(self._fit(model, batch), writer)

    @property
    def films(self) -> bool:
        """Whether one target is a function of one feature, which can be drawn."""
        return len(self.feature_names or ()) == 1 and self.num_outputs == 1

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """The fit."""
        caption = FILM + FIT + (TRUE if self.true_curve else "")
        writer.frame("fit", lambda: fit_card(self._fit(model, batch)), caption)

    def _fit(self, model: nn.Module, batch: Batch) -> Fit:
        assert not isinstance(self.mean, list) and not isinstance(self.std, list)
        facts = (self.feature_names, self.feature_scales, self.true_curve)
        return fitted(model, batch["input"], batch["target"], (self.mean, self.std), *facts)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The value of each sample, in the target's units; of several targets by name."""
        for row in self._in_units(model(batch["input"])).tolist():
            if self.names is not None:
                yield {"values": dict(zip(self.names, row, strict=True))}
            else:
                yield {"value": row[0] if len(row) == 1 else row}

    def _in_units(self, standardised: Tensor) -> Tensor:
        """Float64 (B, O) in the units of the targets, on the CPU: float32 has seven digits, too few
        for a moment in seconds, say, whose deviation is a billionth of its size."""
        y = standardised.detach().cpu().double()
        mean, std = (y.new_tensor(x) if isinstance(x, list) else x for x in (self.mean, self.std))
        return y * std + mean


def _errors(means: dict[str, float], std: float) -> dict[str, float]:
    """RMSE, MAE and, at evaluation, R² of one target, from standardised means."""
    squared = means["squared_error"]
    errors = {"rmse": squared**0.5 * std, "mae": means["absolute_error"] * std}
    if "y" in means:
        variance = means["y_squared"] - means["y"] ** 2
        errors["r2"] = 1 - squared / variance if variance > 0 else float("nan")
    return errors
