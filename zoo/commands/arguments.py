"""The arguments of scripts: `key=value`, as those of train.py."""

import re
import sys
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from zoo.config import groups as configs
from zoo.errors import UserError, closest_match
from zoo.program import spelled
from zoo.terminal import line_width

Result = TypeVar("Result")
NAMES = re.compile(r"(?:\s*\S+\s{2,})+")  # of an option, and of its values, before their meaning


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
        print_help(usage)
        raise SystemExit(0)
    values, overrides = dict(defaults), []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if key.split(".")[0] in configs.GROUPS or key == "experiment":
            overrides.append(argument)
        elif not equals or key not in defaults:
            guess = closest_match(key, defaults)
            hint = f"; did you mean '{guess}='?" if guess else ""
            raise UserError(f"unknown option '{argument}'{hint} (options: {'=, '.join(defaults)}=)")
        else:
            values[key] = value
    missing = [key for key, value in values.items() if value is ...]
    if missing:
        line = spelled(usage.strip().splitlines()[0])
        raise UserError(f"{missing[0]}= is missing; usage: {line}")
    return values, overrides


def switch(values: dict[str, Any], name: str) -> bool:
    """An option that is true or false."""
    text = str(values[name]).lower()
    if text not in ("true", "false"):
        raise UserError(f"{name}={values[name]}: expected true or false")
    return text == "true"


def modules(text: str) -> list[str]:
    """`[a.b,c]` or `a.b,c` as names of modules."""
    return [name.strip() for name in text.strip("[] ").split(",") if name.strip()]


def print_help(usage: str) -> None:
    """Print what a command does and takes; where the terminal is narrower than the text, its
    paragraphs are folded, and each description below its beginning."""
    text, width = spelled(usage.strip()), line_width(sys.stdout)
    if width is None or max(map(len, text.splitlines())) <= width:
        print(text)
        return
    entries: list[tuple[str, int]] = []  # each with the indent of its further lines
    for line in text.splitlines():
        before, indent = entries[-1] if entries else ("", 0)
        names, is_command = NAMES.match(line), line.startswith(("python ", "zoo "))
        own = len(line) - len(line.lstrip())
        if before and line and own == indent and not names and not is_command:
            entries[-1] = f"{before} {line.strip()}", indent
        else:
            entries.append((line, names.end() if names else 4 * is_command))
    for entry, indent in entries:
        wrapper = textwrap.TextWrapper(
            width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
        )
        print(wrapper.fill(entry))


def with_config_dir(work: Callable[[list[str]], Result], arguments: list[str]) -> Result:
    """Call `work` with the other arguments, `--config-dir` in effect.

    Raises:
        UserError: The folder is missing, or cannot be used.
    """
    rest, folder = [], None
    words = iter(arguments)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag not in (configs.CONFIG_DIR_FLAG, "-cd"):
            rest.append(word)
        elif not (folder := value if equals else next(words, "")):
            raise UserError(f"{flag} names no folder; such as --config-dir configs")
    with configs.config_dir(folder):
        return work(rest)
