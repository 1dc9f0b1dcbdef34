"""What a search chooses from: settings and their values, in the words of Hydra's command line.

    optim.lr=tag(log, interval(1e-4, 1e-2))    a number between, even in its logarithm
    model.width=int(interval(16, 256))         a whole number
    model.depth=range(1, 5)                    a whole number, 1 to 4
    optim=choice(sgd, adamw)                   or optim=sgd,adamw

`when` holds settings that are chosen only with a certain choice of another.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from hydra.errors import OverrideParseException

from zoo.errors import UserError, unknown_name

DIGITS = 3  # of a number that was chosen: enough, and it can be typed


@dataclass(frozen=True)
class Dimension:
    """The values of one setting: choices, or the numbers from `low` to `high`.

    Attributes:
        choices: As typed; empty for numbers.
        step: Between whole numbers.
        log: Whether numbers are chosen evenly in their logarithm.
        whole: Whether they are whole.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: int = 1
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Any) -> str:
        """One of them, chosen by Optuna, as typed."""
        if self.choices:
            return trial.suggest_categorical(self.key, list(self.choices))
        if self.whole:
            low, high = int(self.low), int(self.high)
            return str(trial.suggest_int(self.key, low, high, step=self.step, log=self.log))
        value = trial.suggest_float(self.key, self.low, self.high, log=self.log)
        return f"{value:.{DIGITS}g}"

    def first(self) -> str:
        """One of them, to try whether it fits the settings."""
        if self.choices:
            return self.choices[0]
        return str(int(self.low)) if self.whole else repr(self.low)


@dataclass(frozen=True)
class Space:
    """All dimensions.

    Attributes:
        always: Chosen for every member.
        only: Those chosen where a `setting=value` was.
    """

    always: tuple[Dimension, ...]
    only: Mapping[str, tuple[Dimension, ...]] = field(default_factory=dict)

    def suggest(self, trial: Any) -> list[str]:
        """A member's overrides."""
        chosen = [f"{one.key}={one.suggest(trial)}" for one in self.always]
        for condition in [c for c in self.only if c in chosen]:
            chosen += [f"{one.key}={one.suggest(trial)}" for one in self.only[condition]]
        return chosen

    def examples(self) -> Iterator[list[str]]:
        """Overrides that name every setting once: were one unknown, or of a wrong type, they would
        not compose."""
        first = {one.key: one.first() for one in self.always}
        for condition, dimensions in (self.only or {"": ()}).items():
            values = dict(first)
            if condition:
                key, _, value = condition.partition("=")
                values[key] = value
            values |= {one.key: one.first() for one in dimensions}
            yield [f"{key}={value}" for key, value in values.items()]

    def keys(self) -> list[str]:
        """The settings' names."""
        every = [*self.always, *(one for many in self.only.values() for one in many)]
        return list(dict.fromkeys(one.key for one in every))


def read_space(
    typed: Sequence[str], space: Mapping[str, Any], when: Mapping[str, Any]
) -> tuple[Space, list[str]]:
    """The space, and the overrides that are fixed.

    Args:
        typed: Overrides of the command line, ranges among them; they win over `space`.
        space: Setting to values, as in configs/sweep.
        when: `setting=value` to such settings.

    Raises:
        UserError: Values that cannot be read, a condition on what is not chosen, nothing to choose.
    """
    always, fixed, given = [], [], set()
    for override in typed:
        found = _dimension(override)
        given.add(override.partition("=")[0])
        if found:
            always.append(found)
        else:
            fixed.append(override)
    listed = [_listed(key, values, "space") for key, values in space.items() if key not in given]
    always += listed
    only = {}
    for condition, settings in when.items():
        key, _, value = str(condition).partition("=")
        if f"{key}={value}" in fixed:
            always += [_listed(*pair, "when") for pair in settings.items() if pair[0] not in given]
        elif key not in given or value in _choices(key, always):
            _check_condition(key, value, always)
            new = [_listed(*pair, "when") for pair in settings.items() if pair[0] not in given]
            only[f"{key}={value}"] = tuple(new)
    if not always:
        raise UserError(
            "there is nothing to choose from: give values, key=1,2,3 or key=interval(1e-4,1e-2), "
            "or a space, sweep=<file of configs/sweep>"
        )
    if any(one.key == "seed" for one in always):
        raise UserError(
            "a search would choose the luckiest seed: leave seed alone, and sweep the seeds of the "
            "settings that it finds"
        )
    return Space(tuple(always), only), fixed


def _choices(key: str, always: Sequence[Dimension]) -> tuple[str, ...]:
    return next((one.choices for one in always if one.key == key), ())


def _check_condition(key: str, value: str, always: Sequence[Dimension]) -> None:
    choices = _choices(key, always)
    if not choices:
        chosen = [one.key for one in always if one.choices]
        raise UserError(unknown_name(f"setting in sweep.when.'{key}={value}':", key, chosen))
    if value not in choices:
        raise UserError(unknown_name(f"choice in sweep.when.'{key}={value}':", value, choices))


def _listed(key: str, values: Any, place: str) -> Dimension:
    text = str(values).replace(" ", "") if isinstance(values, str) else None
    found = _dimension(f"{key}={text}") if text else None
    if found is None:
        raise UserError(
            f"sweep.{place}.{key}: got {values!r}, expected what to choose from: choice(a,b), "
            f"range(1,5), interval(0,0.5), tag(log,interval(1e-4,1e-2)), int(interval(8,64))"
        )
    return found


def _dimension(override: str) -> Dimension | None:
    """What an override leaves to choose; None where it is a fixed value.

    Raises:
        UserError: It cannot be read.
    """
    try:
        parsed = OverridesParser.create().parse_override(override)
    except OverrideParseException:
        raise UserError(
            f"cannot read '{override}': expected key=value, or values such as choice(a,b), "
            f"range(1,5), interval(0,0.5), tag(log,interval(1e-4,1e-2)), int(interval(8,64))"
        ) from None
    if not parsed.is_sweep_override():
        return None
    key, value = parsed.get_key_element(), parsed.value()
    log = "log" in getattr(value, "tags", ())
    if isinstance(value, IntervalSweep):
        assert value.start is not None and value.end is not None
        low, high, whole = value.start, value.end, isinstance(value.start, int)
        if low > high or (log and low <= 0):
            rule = "above 0 and " * log + "the lower end first"
            raise UserError(f"'{override}': expected {rule}")
        return Dimension(key, (), low, high, log=log, whole=whole)
    if isinstance(value, RangeSweep) and all(
        isinstance(v, int) for v in (value.start, value.stop, value.step)
    ):
        numbers = range(value.start, value.stop, value.step)  # type: ignore[arg-type]
        if numbers and value.step > 0:
            return Dimension(key, (), numbers[0], numbers[-1], numbers.step, log, whole=True)
    choices = tuple(parsed.sweep_string_iterator())
    if not choices:
        raise UserError(f"'{override}': there is nothing in this range")
    return Dimension(key, choices)
