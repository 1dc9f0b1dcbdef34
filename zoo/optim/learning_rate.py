"""The learning rate of a step: each group's peak rate times the schedule's factor."""

from typing import Any


class LearningRate:
    """Sets the rate of every group to the schedule's factor times the group's peak.

    Attributes:
        peaks: Of each group.
        peak: `optim.lr` as the optimizer took it, to which the first group belongs.
        now: The schedule's factor times `peak`.
    """

    def __init__(self, optimizer: Any, schedule: Any) -> None:
        self.optimizer, self.schedule = optimizer, schedule
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        first = optimizer.param_groups[0]
        self.peak = first.get("unscaled_lr", first["lr"])  # without the factor of `optim.rates`
        self.now = self.peak

    def set(self, progress: float) -> None:
        """Apply the rate at a fraction `progress` of the training."""
        factor = self.schedule.factor(min(1.0, progress))
        for group, peak in zip(self.optimizer.param_groups, self.peaks):  # new after a resume
            group["lr"] = peak * factor
        self.now = self.peak * factor
