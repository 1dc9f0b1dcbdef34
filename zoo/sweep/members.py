"""What a sweep consists of: every combination of the values on its command line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

from zoo import config as configs
from zoo.errors import UserError

LONGEST = 80  # letters of a folder's name


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        name: Of its folder: what sets it apart, `lr=0.003,seed=1`.
        overrides: As typed for a run alone.
    """

    name: str
    overrides: tuple[str, ...]


def grid(overrides: Sequence[Any]) -> list[Member]:
    """Every combination, the last list varying fastest.

    Args:
        overrides: Parsed by Hydra.

    Raises:
        UserError: A range without steps, which is for a search.
    """
    swept = []
    for override in overrides:
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                raise UserError(
                    f"'{override.input_line}' is a range without steps; expected values: "
                    f"key=1,2,3 or key=range(1,4)"
                )
            swept.append(override.get_key_element())
    (combinations,) = BasicSweeper.split_arguments(list(overrides), None)
    short = _short(swept)
    members: list[Member] = []
    taken: set[str] = set()
    for one in combinations:
        values = dict(o.split("=", 1) for o in one)
        name = ",".join(f"{short[key]}={values[key]}" for key in swept) or "run"
        name = re.sub(r"[^\w.,=+-]+", "_", name)[:LONGEST]
        if name in taken:
            name = f"{name}-{len(members)}"
        taken.add(name)
        members.append(Member(name, tuple(one)))
    return members


def _short(keys: list[str]) -> dict[str, str]:
    """Each key's last part, or all of it where two share that."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last)}


def checked(members: Sequence[Member]) -> dict[str, configs.Config]:
    """The config of each: a mistake in the last one shows before the first one runs."""
    return {member.name: configs.load(list(member.overrides)) for member in members}
