"""The learning rate of a step: each group's peak rate times the schedule's factor."""

from typing import Any


class LearningRate:
    """Sets the rate of every group to the schedule's factor times the group's peak."""

    def __init__(self, optimizer: Any, schedule: Any) -> None:
        self.optimizer, self.schedule = optimizer, schedule
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.now = self.peaks[0]

    def set(self, progress: float) -> None:
        """Apply the rate at a fraction `progress` of the training."""
        factor = self.schedule.factor(min(1.0, progress))
        for group, peak in zip(self.optimizer.param_groups, self.peaks):  # new after a resume
            group["lr"] = peak * factor
        self.now = self.peaks[0] * factor
