"""The space of a search: settings and their values, in Hydra's syntax for sweeps.

    optim.lr=tag(log, interval(1e-4, 1e-2))    a number, sampled on a logarithmic scale
    model.width=int(interval(16, 256))         an integer
    model.depth=range(1, 5)                    an integer, 1 to 4
    optim=choice(sgd, adamw)                   or optim=sgd,adamw

`when` holds conditional settings: those that are sampled only with a certain value of another.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from hydra.errors import OverrideParseException

from zoo.config.groups import key_of
from zoo.errors import UserError, unknown_name
from zoo.sweep.trials import check_not_undone

DIGITS = 3  # significant digits of a sampled number, relative to its range: short to type
SYNTAX = (
    "choice(a,b), range(1,5), interval(0,0.5), tag(log,interval(1e-4,1e-2)), int(interval(8,64))"
)


@dataclass(frozen=True)
class Dimension:
    """The values of one setting: choices, or the numbers from `low` to `high`.

    Attributes:
        key: The setting.
        choices: The values as typed; empty for numbers.
        low, high: The ends of the range, both included.
        step: Difference of neighbouring integers.
        log: Whether numbers are sampled on a logarithmic scale.
        integer: Whether they are integers.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: int = 1
    log: bool = False
    integer: bool = False

    def suggest(self, optuna_trial: Any) -> str:
        """A value that Optuna chooses, as typed."""
        if self.choices:
            return optuna_trial.suggest_categorical(self.key, list(self.choices))
        if self.integer:
            low, high = int(self.low), int(self.high)
            return str(optuna_trial.suggest_int(self.key, low, high, step=self.step, log=self.log))
        value = optuna_trial.suggest_float(self.key, self.low, self.high, log=self.log)
        return repr(value).removesuffix(".0")

    def first(self) -> str:
        """A value to check that the setting exists and has this type."""
        if self.choices:
            return self.choices[0]
        return str(int(self.low)) if self.integer else repr(self.low)


def rounded(value: float, low: float, high: float) -> float:
    """A number between two others with few digits, as many as their difference needs.

    >>> rounded(0.0123456, 0, 0.1), rounded(0.99951234, 0.9991, 0.9999)
    (0.0123, 0.999512)
    """
    if low == high:
        return low
    lead = math.floor(math.log10(max(abs(low), abs(high)))) + 1
    digits, values = DIGITS, 80  # in the range; where there are fewer, at least 500
    while digits < 16 and high - low < values * 10.0 ** (lead - digits):
        digits, values = digits + 1, 500
    return min(max(float(f"{value:.{digits}g}"), low), high)


@dataclass(frozen=True)
class Space:
    """All dimensions.

    Attributes:
        always: Sampled for every trial.
        conditional: Those sampled only where `setting=value` was chosen, by that condition.
    """

    always: tuple[Dimension, ...]
    conditional: Mapping[str, tuple[Dimension, ...]] = field(default_factory=dict)

    def suggest(self, optuna_trial: Any) -> list[str]:
        """The overrides of a trial."""
        chosen = [f"{d.key}={d.suggest(optuna_trial)}" for d in self.always]
        for condition in [c for c in self.conditional if c in chosen]:
            chosen += [f"{d.key}={d.suggest(optuna_trial)}" for d in self.conditional[condition]]
        return chosen

    def examples(self) -> Iterator[list[str]]:
        """Overrides in which every setting and every choice occurs: composing them finds unknown
        settings, unknown choices and wrong types."""
        first = {dimension.key: dimension.first() for dimension in self.always}
        for condition, dimensions in {"": (), **self.conditional}.items():
            values = dict(first)
            if condition:
                key, _, value = condition.partition("=")
                values[key] = value
            values |= {dimension.key: dimension.first() for dimension in dimensions}
            varied = dimensions if condition else self.always
            others = [{d.key: choice} for d in varied for choice in d.choices[1:]]
            for other in ({}, *others):
                yield [f"{key}={value}" for key, value in (values | other).items()]

    def keys(self) -> list[str]:
        """The names of all settings."""
        conditional = (d for dimensions in self.conditional.values() for d in dimensions)
        return list(dict.fromkeys(d.key for d in (*self.always, *conditional)))


def read_space(
    typed: Sequence[str], space: Mapping[str, Any], when: Mapping[str, Any]
) -> tuple[Space, list[str]]:
    """The search space, and the overrides that are fixed.

    Args:
        typed: Overrides of the command line, ranges among them; they win over `space`.
        space: Setting to values, as in configs/sweep.
        when: `setting=value` to such settings.

    Raises:
        UserError: Values that cannot be parsed or are given twice, a condition on a setting that is
            not sampled, nothing to search.
    """
    always: list[Dimension] = []
    fixed: list[str] = []
    keys = set(map(key_of, typed))
    for k, override in enumerate(typed):
        if dimension := _parse_dimension(override):
            check_not_undone(override, typed[k + 1 :])
            always.append(dimension)
        else:
            fixed.append(override)
    always += _listed(space, keys, "space")
    conditional = {}
    for condition, settings in when.items():
        key, _, value = str(condition).partition("=")
        if f"{key}={value}" in fixed:
            always += _listed(settings, keys, "when")
        elif key not in keys or value in _choices(key, always):
            _check_condition(key, value, always)
            conditional[f"{key}={value}"] = tuple(_listed(settings, keys, "when"))
    if not always:
        raise UserError(
            "there is nothing to choose from: give values, key=1,2,3 or key=interval(1e-4,1e-2), "
            "or a space, sweep=<file of configs/sweep>"
        )
    if any(dimension.key == "seed" for dimension in always):
        raise UserError(
            "a search would choose the luckiest seed: leave seed alone, and sweep the seeds of the "
            "settings that it finds"
        )
    return Space(tuple(always), conditional), fixed


def _choices(key: str, dimensions: Sequence[Dimension]) -> tuple[str, ...]:
    return next((dimension.choices for dimension in dimensions if dimension.key == key), ())


def _check_condition(key: str, value: str, always: Sequence[Dimension]) -> None:
    choices = _choices(key, always)
    if not choices:
        chosen = [dimension.key for dimension in always if dimension.choices]
        raise UserError(unknown_name(f"setting in sweep.when.'{key}={value}':", key, chosen))
    if value not in choices:
        raise UserError(unknown_name(f"choice in sweep.when.'{key}={value}':", value, choices))


def _listed(settings: Mapping[str, Any], typed: set[str], option: str) -> list[Dimension]:
    """The dimensions of `sweep.space` or `sweep.when`, without those given on the command line."""
    dimensions = []
    for key, values in settings.items():
        if key in typed:
            continue
        text = str(values).replace(" ", "") if isinstance(values, str) else None
        dimension = _parse_dimension(f"{key}={text}") if text else None
        if dimension is None:
            raise UserError(
                f"sweep.{option}.{key}: got {values!r}, expected what to choose from: {SYNTAX}"
            )
        dimensions.append(dimension)
    return dimensions


def _parse_dimension(override: str) -> Dimension | None:
    """The dimension of an override; None if it is a fixed value.

    Raises:
        UserError: It cannot be parsed.
    """
    try:
        parsed = OverridesParser.create().parse_override(override)
    except OverrideParseException:
        raise UserError(
            f"cannot read '{override}': expected key=value, or values such as {SYNTAX}"
        ) from None
    if not parsed.is_sweep_override():
        return None
    key, value = parsed.get_key_element(), parsed.value()
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        low, high, integer = value.start, value.end, isinstance(value.start, int)
        if low > high or (log and low <= 0):
            rule = "above 0 and " * log + "the lower end first"
            raise UserError(f"'{override}': expected {rule}")
        return Dimension(key, (), low, high, log=log, integer=integer)
    if isinstance(value, RangeSweep) and all(
        isinstance(v, int) for v in (value.start, value.stop, value.step)
    ):
        numbers = range(value.start, value.stop, value.step)  # type: ignore[arg-type]
        if log and (value.step != 1 or min(numbers, default=1) < 1):
            raise UserError(f"'{override}': on a logarithmic scale, expected 1 or more, step 1")
        if numbers and numbers.step > 0:
            return Dimension(key, (), numbers[0], numbers[-1], numbers.step, log, integer=True)
    choices = tuple(parsed.sweep_string_iterator())
    if not choices:
        raise UserError(f"'{override}': there is nothing in this range")
    return Dimension(key, choices)
