"""What a grid consists of: every combination of the values on its command line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.config.run import RunConfig
from zoo.errors import UserError, unknown_name

LONGEST = 80  # letters of a folder's name


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        name: Of its folder: what sets it apart, `lr=0.003,seed=1`.
        overrides: As typed for a run alone.
        trial: Its number in a search.
    """

    name: str
    overrides: tuple[str, ...]
    trial: int | None = None


def grid(overrides: Sequence[Any], together: Sequence[str] = ()) -> list[Member]:
    """Every combination, the last list varying fastest.

    Args:
        overrides: Parsed by Hydra.
        together: Keys whose lists go side by side and count as one.

    Raises:
        UserError: A range without steps, which is for a search; lists side by side of different
            lengths.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    swept = []
    for override in overrides:
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                raise UserError(
                    f"'{override.input_line}' is a range without steps: add sweep.method=tpe (or "
                    f"random), or give values: key=1,2,3 or key=range(1,4)"
                )
            swept.append(override.get_key_element())
    (combinations,) = BasicSweeper.split_arguments(list(overrides), None)
    if together:
        combinations = _side_by_side(combinations, swept, together)
    short = short_keys(swept)
    members: list[Member] = []
    taken: set[str] = set()
    for one in combinations:
        values = dict(o.split("=", 1) for o in one)
        name = folder_name({short[key]: values[key] for key in swept}) or "run"
        if name in taken:
            name = f"{name}-{len(members)}"
        taken.add(name)
        members.append(Member(name, tuple(one)))
    return members


def _side_by_side(
    combinations: Iterable[Sequence[str]], swept: Sequence[str], together: Sequence[str]
) -> list[Sequence[str]]:
    """Of all combinations those in which the keys of `together` stand at one place of their lists.

    Raises:
        UserError: Such a key that has no list, or lists of different lengths.
    """
    if missing := [key for key in together if key not in swept]:
        raise UserError(unknown_name("list in sweep.zip:", missing[0], swept))
    table = [dict(o.split("=", 1) for o in one) for one in combinations]
    lists = {key: list(dict.fromkeys(row[key] for row in table)) for key in together}
    if len(set(map(len, lists.values()))) > 1:
        lengths = ", ".join(f"{key} has {len(values)}" for key, values in lists.items())
        raise UserError(f"sweep.zip takes lists of one length, without repeats: {lengths}")
    return [
        one
        for one, row in zip(combinations, table, strict=True)
        if len({lists[key].index(row[key]) for key in together}) == 1
    ]


def folder_name(values: Mapping[str, str]) -> str:
    """`lr=0.003,seed=1`, cut where it grows too long."""
    name = ",".join(f"{key}={value}" for key, value in values.items())
    return re.sub(r"[^\w.,=+-]+", "_", name)[:LONGEST]


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Each key's last part, or all of it where two share that."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last)}


def checked(members: Iterable[Member]) -> dict[str, RunConfig]:
    """The config of each: a mistake in the last one shows before the first one runs."""
    from zoo.config.compose import load  # and Hydra with it

    return {member.name: load(list(member.overrides)) for member in members}
