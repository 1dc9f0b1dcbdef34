"""The budget of a training, its intervals, and the best validation so far."""

import math
from dataclasses import dataclass, field


@dataclass
class Budget:
    """How long to train and the intervals between reports, all in optimizer steps."""

    max_steps: int
    eval_steps: int
    log_steps: int
    save_steps: int | None


@dataclass
class Best:
    """The best validation so far."""

    step: int = 0
    value: list[float] = field(default_factory=lambda: [float("-inf")])
    metrics: dict[str, float] = field(default_factory=dict)
    waited: int = 0  # evaluations since

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.value)):  # nan, of an older version's checkpoint
            self.step, self.value, self.metrics = 0, [float("-inf")], {}

    def beaten_by(self, value: list[float]) -> bool:
        """Whether these values are better; the first that differs decides. Values that are not
        finite, infinity included, never are."""
        return all(map(math.isfinite, value)) and value > self.value

    def out_of_patience(self, patience: int | None) -> str | None:
        """Why training ends, once `patience` evaluations in a row have not been better."""
        over = patience is not None and self.waited >= patience
        return f"no better validation in {self.waited} evaluations" if over else None


def log_interval(steps: int, is_timed: bool) -> int:
    """Steps between reports, for about 200 reports in a run. At most 50 where minutes may end it:
    it may then take far fewer than `steps`."""
    return max(min(50, steps // 4), 0 if is_timed else steps // 200, 1)


def due(step: int, every: int | None) -> bool:
    """Whether something done every `every` steps, or never (None), is due after this step."""
    return every is not None and step % every == 0


def monitored(monitor: str, metrics: dict[str, float]) -> float:
    """The metric that a task monitors, larger being better: "accuracy", or "-loss"."""
    return -metrics[monitor[1:]] if monitor.startswith("-") else metrics[monitor]
