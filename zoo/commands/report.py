"""`python scripts/report.py run=outputs/...`: report.html of a run, from its files."""

import sys
from pathlib import Path

from zoo.commands.arguments import options
from zoo.errors import UserError, report
from zoo.report.write import write_run
from zoo.runs.find import find_run

USAGE = """\
python scripts/report.py run=outputs/...

Writes report.html into the folder of a run, anew: one file that shows what was trained, how it
went and how to repeat it, to look at in any browser or to send to somebody. Training writes it too.

run=   a run directory, a folder of runs (the newest), or last
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(arguments: list[str]) -> int:
    words = [a if "=" in a or a.startswith("-") else f"run={a}" for a in arguments]
    values, _ = options(words, USAGE, run=...)
    print(f"report    {_written(find_run(values['run']).path)}")
    return 0


def _written(folder: Path) -> Path:
    try:
        return write_run(folder)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{folder}: report.html cannot be written: {reason}") from None
