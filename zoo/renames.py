"""Settings that have been renamed: configs and command lines with the old names keep working.

No torch here, so that mistakes are reported at once.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from zoo.errors import UserError

RENAMED = {"task.mask_share": "task.mask_rate"}  # old: current
OVERRIDE = re.compile(r"([+~]*)([^=@]+)(.*)", re.DOTALL)


def current_override(override: str) -> str:
    """An override under its current name: `task.mask_rate=0.3` for `task.mask_share=0.3`."""
    if (match := OVERRIDE.fullmatch(override)) is None:
        return override
    prefix, key, rest = match.groups()
    return f"{prefix}{RENAMED.get(key, key)}{rest}"


def current_overrides(overrides: Iterable[str]) -> list[str]:
    """A command line's overrides under their current names.

    Raises:
        UserError: A setting is given under both names.
    """
    overrides = list(overrides)
    keys = {match[2] for match in map(OVERRIDE.fullmatch, overrides) if match}
    for old, new in RENAMED.items():
        if {old, new} <= keys:
            raise UserError(_given_twice(old, new))
    return [current_override(override) for override in overrides]


def current_config(
    config: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    typed: Collection[str] = (),
) -> dict[str, Any]:
    """A config of groups of settings under their current names.

    Args:
        config: Settings by group; not changed.
        defaults: Settings of the chosen groups, where `config` was composed from them: an old name
            then replaces the default that stands under the current one.
        typed: Settings of the command line, under their current names, which win over old names.

    Raises:
        UserError: A setting is given under both names.
    """
    renamed = dict(config)
    for old, new in RENAMED.items():
        group, _, key = old.partition(".")
        options = renamed.get(group)
        if not isinstance(options, Mapping) or key not in options:
            continue
        current = new.partition(".")[2]
        if new in typed:
            renamed[group] = {name: value for name, value in options.items() if name != key}
            continue
        listed = (defaults or {}).get(group, {})
        if current in options and (current not in listed or options[current] != listed[current]):
            raise UserError(_given_twice(old, new))
        unchanged = {name: value for name, value in options.items() if name not in (key, current)}
        renamed[group] = unchanged | {current: options[key]}
    return renamed


def _given_twice(old: str, new: str) -> str:
    return f"{old} is the old name of {new}, and both are given; leave {old} out"
