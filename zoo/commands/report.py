"""`python scripts/report.py run=outputs/...`: report.html of a run or a sweep, from files."""

import sys
from collections.abc import Callable
from pathlib import Path

from zoo.commands.arguments import options
from zoo.errors import UserError, report
from zoo.files import user_path
from zoo.report.write import write_run, write_sweep
from zoo.runs.find import find_run

USAGE = """\
python scripts/report.py run=outputs/...

Writes report.html into the folder of a run or a sweep: one file that shows what was trained,
how it went and how to repeat it, to look at in any browser or to send. Training writes it too.

run=   a run directory, or last; or a sweep, or any folder of runs: these are compared
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(arguments: list[str]) -> int:
    words = [a if "=" in a or a.startswith("-") else f"run={a}" for a in arguments]
    values, _ = options(words, USAGE, run=...)
    folder = user_path(values["run"])
    is_many = folder.is_dir() and not (folder / "config.yaml").is_file()
    if not is_many:
        folder = find_run(values["run"]).path
    print(f"report    {_written(write_sweep if is_many else write_run, folder)}")
    return 0


def _written(write: Callable[[Path], Path], folder: Path) -> Path:
    try:
        return write(folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: report.html cannot be written: {reason}") from None
