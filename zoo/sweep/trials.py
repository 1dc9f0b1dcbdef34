"""The trials of a grid: every combination of the values on the command line."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.config.run import RunConfig
from zoo.errors import UserError, unknown_name

MAX_NAME = 80  # characters of a folder's name
NAME = r"[\w.,=+-]+"
RESOLVER = re.compile(r"\$\{\s*[\w.]+\s*:")  # ${oc.env:HOME}; ${seed} names a setting


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
        name: Its folder, named after the settings that differ: `lr=0.003,seed=1`.
        overrides: The command line of the same run outside of a sweep.
        number: Its number in a search; None in a grid.
    """

    name: str
    overrides: tuple[str, ...]
    number: int | None = None

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Trial":
        """From an entry of sweep.json.

        Raises:
            ValueError: The name is no folder's, or an override is no text or asks for more than
                settings of the config.
        """
        name, overrides = content["name"], tuple(content["overrides"])
        if not isinstance(name, str) or not re.fullmatch(NAME, name) or name.strip(".") == "":
            raise ValueError(f"{name!r} is no trial's name")
        for override in overrides:
            if not isinstance(override, str) or RESOLVER.search(override):
                raise ValueError(f"the override {override!r} is refused")
        return cls(name, overrides, content.get("trial"))

    def to_json(self) -> dict[str, Any]:
        """An entry of sweep.json."""
        return {"name": self.name, "overrides": self.overrides, "trial": self.number}


def grid(overrides: Sequence[Any], zipped: Sequence[str] = ()) -> list[Trial]:
    """Every combination, the last list varying fastest.

    Args:
        overrides: Parsed by Hydra.
        zipped: Keys whose lists are combined one to one.

    Raises:
        UserError: A range without steps, which only a search can use, or without values; a list
            that is given twice; zipped lists of different lengths.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    swept: dict[str, int] = {}
    typed = [override.input_line for override in overrides]
    for k, override in enumerate(overrides):
        if override.is_sweep_override():
            check_not_undone(typed[k], typed[k + 1 :])
            if not override.is_discrete_sweep():
                raise UserError(
                    f"'{override.input_line}' is a range without steps: add sweep.method=tpe (or "
                    f"random), or give values: key=1,2,3 or key=range(1,4)"
                )
            if not (listed := list(override.sweep_string_iterator())):
                raise UserError(f"'{override.input_line}': there is nothing in this range")
            swept[override.get_key_element()] = len(listed)
    combinations: list[list[str]]
    (combinations,) = BasicSweeper.split_arguments(list(overrides), None)
    if zipped:
        combinations = _zip(combinations, swept, zipped)
    short = short_keys(list(swept))
    trials: list[Trial] = []
    names: set[str] = set()
    for combination in combinations:
        values = dict(o.split("=", 1) for o in combination)
        name = folder_name({short[key]: values[key] for key in swept}) or "run"
        if name in names:
            name = f"{name}-{len(trials)}"
        names.add(name)
        trials.append(Trial(name, tuple(combination)))
    return trials


def check_not_undone(values: str, later: Sequence[str]) -> None:
    """Check that a list of values is not followed by others of the same key: Hydra's grid has the
    last alone, a search the first.

    Raises:
        UserError: It is.
    """
    key, *keys = (override.lstrip("+~").partition("=")[0] for override in (values, *later))
    if again := [override for override, other in zip(later, keys, strict=True) if other == key]:
        raise UserError(
            f"'{values}' is undone by '{again[-1]}' after it; leave one of them out, or give all "
            f"values in one list"
        )


def _zip(
    combinations: Sequence[list[str]], lengths: Mapping[str, int], zipped: Sequence[str]
) -> list[list[str]]:
    """The combinations in which all zipped keys have the same index in their lists.

    Args:
        combinations: All of them, the last list varying fastest.
        lengths: Of each list, in the order of the command line.
        zipped: Keys of lists.

    Raises:
        UserError: A zipped key without a list, or lists of different lengths.
    """
    if missing := [key for key in zipped if key not in lengths]:
        raise UserError(unknown_name("list in sweep.zip:", missing[0], lengths))
    if len({lengths[key] for key in zipped}) > 1:
        counts = ", ".join(f"{key} has {lengths[key]}" for key in zipped)
        raise UserError(f"sweep.zip takes lists of one length: {counts}")
    places = [list(lengths).index(key) for key in zipped]
    indices = itertools.product(*map(range, lengths.values()))
    return [
        combination
        for combination, index in zip(combinations, indices, strict=True)
        if len({index[place] for place in places}) == 1
    ]


def folder_name(values: Mapping[str, str]) -> str:
    """`lr=0.003,seed=1`, cut to a valid folder name."""
    name = ",".join(f"{key}={value}" for key, value in values.items())
    return re.sub(r"[^\w.,=+-]+", "_", name)[:MAX_NAME]


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each dotted key, or the whole key where two keys end alike."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def load_configs(trials: Iterable[Trial]) -> dict[str, RunConfig]:
    """The config of each trial by name; all are checked before the first one runs.

    Raises:
        UserError: A mistake in any of them.
    """
    from zoo.config.compose import load  # and Hydra with it

    return {trial.name: load(list(trial.overrides)) for trial in trials}
