"""Two arms compared: a t-test by pairs of seeds, or Welch's, and what such runs could have shown.

An arm is the runs of one line of a table: equal settings, several seeds. Runs of one seed share the
split of the data, the first weights and the order of the batches, and with them most of the noise
(a correlation of 0.9 on the digits). So arms with the same seeds are compared seed by seed, others
by Welch's test, which takes no two deviations for equal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

ALPHA = 0.03  # of tests: with figures that are counted and skewed, false claims stay below 5%
LEVEL = f"{100 * (1 - ALPHA):.0f}% interval"
POWER = 0.8  # of the smallest difference that could have been shown
MIN_LOG_RATIO = 8.0  # of the largest to the smallest loss, for a comparison of logarithms
MAX_SEEDS = 1000
Arm = Mapping[Any, float]  # a metric by seed, or by seed and fold


@dataclass(frozen=True)
class Scale:
    """How figures are compared.

    Attributes:
        larger: Whether more is better.
        log: Whether logarithms are compared: of losses that span powers of ten.
        step: The smallest difference of two figures: accuracies are counts divided by a count.
    """

    larger: bool
    log: bool = False
    step: float = 0.0

    @classmethod
    def of(
        cls, values: Sequence[float], larger: bool, first: Sequence[float] | None = None
    ) -> "Scale":
        """For all figures of a table.

        Args:
            values: All of them.
            larger: Whether more is better.
            first: Those that choose the scale, if the others are not all known yet.
        """
        low, high = min(first or values), max(first or values)
        log = not larger and low > 0 and high / low >= MIN_LOG_RATIO and min(values) > 0
        if log:
            values = [math.log(value) for value in values]
        gaps = [b - a for a, b in pairwise(sorted(set(values))) if b - a > 1e-9 * abs(b)]
        return cls(larger, log, min(gaps, default=0.0))

    def arm(self, values: Arm) -> dict[Any, float]:
        """Figures on this scale, of which more is better."""
        sign = 1.0 if self.larger else -1.0
        return {k: sign * (math.log(v) if self.log else v) for k, v in values.items()}


@dataclass(frozen=True)
class Difference:
    """How much better one arm is than another, on their scale.

    Attributes:
        method: `paired t-test`, `Welch's t-test`; `none` where an arm has a single run.
        runs: Number of runs of each arm that were used.
        size: Difference of the means, above 0 if the first is better.
        error: Its standard error; nan if unknown.
        freedom: Degrees of freedom of the t distribution.
        log: Whether it is a difference of logarithms.
    """

    method: str
    runs: tuple[int, int]
    size: float
    error: float = math.nan
    freedom: float = math.nan
    log: bool = False

    @property
    def known(self) -> bool:
        """Whether anything can be said of its error."""
        return self.error > 0

    @property
    def p(self) -> float:
        """Two-sided p-value of no difference; 1 if the error is not known."""
        from scipy.stats import t

        if not self.known:
            return 1.0
        return float(2 * t.sf(abs(self.size) / self.error, self.freedom))

    def interval(self, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Confidence interval of the difference."""
        from scipy.stats import t

        if not self.known:
            return (-math.inf, math.inf)
        half = float(t.isf((1 - level) / 2, self.freedom)) * self.error
        return self.size - half, self.size + half

    def within(self, margin: float) -> bool:
        """Whether two one-sided tests find it between -margin and +margin.

        Schuirmann, 1987: tests at 3% do if the 94% interval lies between them.
        """
        low, high = self.interval(1 - 2 * ALPHA)
        return self.known and -margin < low and high < margin

    @property
    def detectable(self) -> float:
        """The smallest true difference that such runs show with a probability of 80%."""
        return _needed(self.freedom) * self.error if self.known else math.inf

    @property
    def more_seeds(self) -> int | None:
        """Seeds that each arm needs besides to show this difference with a probability of 80%.

        None if more than MAX_SEEDS, or if nothing is known of the error.
        """
        if not self.known or not self.size:
            return None
        now = min(self.runs)
        deviation, per_run = self.error * now**0.5, self.freedom / (now - 1)
        for seeds in range(now, MAX_SEEDS):
            if abs(self.size) >= _needed(per_run * (seeds - 1)) * deviation / seeds**0.5:
                return seeds - now
        return None


def _needed(freedom: float) -> float:
    """Standard errors of a difference that is shown with a probability of 80% (to about 2%)."""
    from scipy.stats import t

    return float(t.isf(ALPHA / 2, freedom) + t.isf(1 - POWER, freedom))


def difference(first: Arm, second: Arm, scale: Scale) -> Difference:
    """How much better the first arm is.

    By pairs, if each run of the smaller arm has a partner of the same seed in the other.

    Args:
        first, second: The metric by seed.
        scale: That of the table.
    """
    a, b = scale.arm(first), scale.arm(second)
    shared = [key for key in a if key in b]
    if len(shared) == min(len(a), len(b)) and shared:
        return paired([a[key] - b[key] for key in shared], scale)
    means = [sum(arm.values()) / len(arm) for arm in (a, b)]
    runs, size = (len(a), len(b)), means[0] - means[1]
    if min(runs) < 2:
        return Difference("none", runs, size, log=scale.log)
    parts = [_variance(list(arm.values()), scale.step / 12**0.5) / len(arm) for arm in (a, b)]
    total = sum(parts)
    if not total:
        return Difference("none", runs, size, log=scale.log)
    freedom = total**2 / sum(v**2 / (n - 1) for v, n in zip(parts, runs, strict=True))
    return Difference("Welch's t-test", runs, size, total**0.5, freedom, scale.log)


def paired(differences: Sequence[float], scale: Scale) -> Difference:
    """From the differences of pairs: how much better the first of each is."""
    count = len(differences)
    runs, size = (count, count), sum(differences) / count
    if count < 2 or not (variance := _variance(differences, scale.step / 6**0.5)):
        return Difference("none", runs, size, log=scale.log)
    return Difference("paired t-test", runs, size, (variance / count) ** 0.5, count - 1, scale.log)


def _variance(values: Sequence[float], floor: float) -> float:
    """The sample variance, at least that of rounding: equal accuracies are no proof of none."""
    mean = sum(values) / len(values)
    return max(sum((v - mean) ** 2 for v in values) / (len(values) - 1), floor**2)
