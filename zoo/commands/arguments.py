"""The arguments of scripts: `key=value`, as those of train.py."""

import sys
from typing import Any

from zoo.config import groups as configs
from zoo.errors import UserError, nearest


def options(
    argv: list[str] | None, usage: str, **defaults: Any
) -> tuple[dict[str, Any], list[str]]:
    """Parse `key=value` arguments of a script.

    Args:
        argv: Arguments, or None for the process's own.
        usage: Printed for `--help`.
        **defaults: The options and their defaults; `...` marks one that must be given.

    Returns:
        The options, and the arguments whose key is dotted or `data` (overrides of a config).

    Raises:
        UserError: Unknown or missing options, in one line.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if any(a in ("-h", "--help") for a in arguments):
        print(usage.strip())
        raise SystemExit(0)
    values, overrides = dict(defaults), []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key.split(".")[0] in configs.GROUPS or key == "experiment":
            overrides.append(argument)
        elif not equals or key not in defaults:
            guess = nearest(key, defaults)
            hint = f"; did you mean '{guess}='?" if guess else ""
            raise UserError(f"unknown option '{argument}'{hint} (options: {'=, '.join(defaults)}=)")
        else:
            values[key] = value
    missing = [key for key, value in values.items() if value is ...]
    if missing:
        raise UserError(f"{missing[0]}= is missing; usage: {usage.strip().splitlines()[0]}")
    return values, overrides
