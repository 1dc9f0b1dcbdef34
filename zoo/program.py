"""How our commands were started, so that messages name the one that the user types.

The command `zoo` sets `sys.argv[0]` to `zoo train`; a script leaves its own name there. Processes
that are forked or spawned inherit it.
"""

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence

SCRIPT = re.compile(r"python (?:scripts/)?(\w+)\.py")


def command_line() -> str:
    """The command that started this process, to be typed again."""
    program, *arguments = sys.argv
    words = program.split() if by_zoo() else ["python", program]
    return shlex.join([*words, *arguments])


@contextlib.contextmanager
def started_as(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """Take a command line as the one that started this process."""
    before, sys.argv = sys.argv, [program, *arguments]
    try:
        yield
    finally:
        sys.argv = before


def spelled(text: str) -> str:
    """The text, with `zoo train` for `python train.py` where the user typed `zoo`."""
    if not by_zoo():
        return text
    return SCRIPT.sub(lambda script: f"zoo {script[1].replace('_', '-')}", text)


def by_zoo() -> bool:
    """Whether the user typed `zoo`."""
    return sys.argv[0].startswith("zoo ")
