"""How long to train, how often to look, and the best that was seen."""

from dataclasses import dataclass, field


@dataclass
class Plan:
    """The budget and the cadences, all in optimizer steps."""

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


def monitored(monitor: str, figures: dict[str, float]) -> float:
    """The figure that a task watches, more being better: "accuracy", or "-loss"."""
    return -figures[monitor[1:]] if monitor.startswith("-") else figures[monitor]
