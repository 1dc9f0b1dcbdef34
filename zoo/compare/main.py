"""`python scripts/compare.py outputs/...`: which run won, and why."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from zoo.compare import formats, pictures, side_by_side
from zoo.errors import UserError, closest_match, report
from zoo.program import spelled
from zoo.runs.diff import diff
from zoo.runs.directory import RunDirectory
from zoo.runs.rank import rank
from zoo.runs.records import Record, read_runs

ABOUT = """\
Runs ranked, a table for each experiment: seeds as mean and deviation, what differs between them,
what did not get to its end, and the command that repeats the best."""


class Parser(argparse.ArgumentParser):
    """One line for a mistake, with the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raises:
        UserError: Always.
        """
        raise UserError(f"{message.removeprefix('argument ')} (see --help)")


def parser() -> Parser:
    """The command's flags."""
    one = Parser(spelled("python scripts/compare.py"), description=ABOUT, allow_abbrev=False)
    add = one.add_argument
    add("folders", nargs="*", metavar="folder", help="runs, sweeps, or folders of any of them")
    add("--metric", metavar="NAME", help="val/<name> or test/<name>; else what each experiment "
        "watches. Ranks different experiments on the same data together")  # fmt: skip
    add("--group-by", metavar="NAMES", default="seed", help="settings that one line's runs may "
        "differ in: seed (default), seed,data.fold; none: a line a run")  # fmt: skip
    form = one.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="all figures, a line each")
    form.add_argument("--md", action="store_true", help="tables of Markdown")
    form.add_argument("--json", action="store_true", help="everything")
    add("--plot", action="store_true", help="draw learning curves, parallel coordinates and the "
        "importance of settings into <folder>/compare, for TensorBoard too")  # fmt: skip
    add("--diff", nargs="*", metavar="run", help="two runs: what differs, and where they part")
    return one


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code: 1 where no run has come to its end."""
    return report(lambda: _main(sys.argv[1:] if argv is None else argv))


def _main(argv: list[str]) -> int:
    flags = parser()
    given, unknown = flags.parse_known_args(argv)
    if unknown:
        valid = [flag for action in flags._actions for flag in action.option_strings]
        guess = closest_match(unknown[0].partition("=")[0], valid)
        hint = f"; did you mean {guess}?" if guess else ""
        raise UserError(f"unknown option '{unknown[0]}'{hint} (see --help)")
    if given.diff is not None:
        return _diff(given)
    if not given.folders:
        raise UserError("which runs? give folders, such as outputs (see --help)")
    return _rank(given)


def _rank(given: argparse.Namespace) -> int:
    folders = [Path(folder).expanduser() for folder in given.folders]
    over = [] if given.group_by == "none" else given.group_by.split(",")
    done, apart = read_runs(folders)
    tables, lacking = rank(done, given.metric, over)
    apart += lacking
    if given.plot:
        pictures.check(tables)
    if given.csv:
        print(formats.as_csv(tables, apart))
    elif given.md:
        print(formats.markdown(tables, apart))
    elif given.json:
        print(formats.as_json(tables, apart))
    else:
        print(formats.text(tables, apart, fit=sys.stdout.isatty()))
    if given.plot:
        made, notes = pictures.draw(tables, pictures.place_of(folders))
        where = sys.stderr if given.csv or given.md or given.json else sys.stdout
        for line in ("", *(f"picture   {path}" for path in made), *notes):
            print(line, file=where)
    return 0 if tables else 1


def _diff(given: argparse.Namespace) -> int:
    if len(given.diff) != 2:
        raise UserError(f"--diff takes two runs, got {len(given.diff)} (see --help)")
    for name in ("folders", "metric", "csv", "md", "plot"):
        if value := getattr(given, name):
            what = f"'{value[0]}'" if name == "folders" else f"--{name}"
            raise UserError(f"--diff compares two runs, and takes no {what} (see --help)")
    one, other = (Record.read(RunDirectory.open(path, "--diff").path) for path in given.diff)
    found = diff(one, other)
    if given.json:
        print(side_by_side.as_json(one, other, found))
    else:
        print(side_by_side.as_text(one, other, found, fit=sys.stdout.isatty()))
    return 0
