"""`python scripts/compare.py outputs/...`: ranks runs, plots them, shows what differs."""

import argparse
import math
import sys
from collections.abc import Callable
from typing import NoReturn

from zoo.compare import data_formats, formats, plots, side_by_side
from zoo.errors import UserError, closest_match, report
from zoo.files import user_path
from zoo.program import spelled
from zoo.runs.diff import diff
from zoo.runs.find import find_run
from zoo.runs.rank import rank
from zoo.runs.records import Record, read_runs

Decide = Callable[[argparse.Namespace], int]
NAMED = ("--metric", "--group-by", "--csv", "--md", "--json", "--margin", "--decide", "--budget")
DEFAULT_BUDGET = 20  # runs
ABOUT = """\
Rank runs, one table for each experiment: mean and standard deviation over seeds, the settings that
differ, the runs that did not finish, and the command that repeats the best."""


class Parser(argparse.ArgumentParser):
    """Reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        """Raises:
        UserError: Always.
        """
        raise UserError(f"{message.removeprefix('argument ')} (see --help)")


def parser() -> Parser:
    """The command's flags."""
    flags = Parser(spelled("python scripts/compare.py"), description=ABOUT, allow_abbrev=False)
    add = flags.add_argument
    add("folders", nargs="*", metavar="folder", help="runs, sweeps, or folders of any of them")
    add("--metric", metavar="NAME", help="val/<name> or test/<name>; default: what each "
        "experiment monitors. Ranks different experiments on the same data together")  # fmt: skip
    add("--group-by", metavar="NAMES", default="seed", help="settings to average "
        "over: seed (default), seed,data.fold; none: a line for each run")  # fmt: skip
    form = flags.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="all metrics, as CSV")
    form.add_argument("--md", action="store_true", help="Markdown tables")
    form.add_argument("--json", action="store_true", help="everything, as JSON")
    add("--plot", action="store_true", help="plot learning curves, parallel coordinates and the "
        "importance of settings to <folder>/compare, also for TensorBoard")  # fmt: skip
    add("--diff", nargs="*", metavar="run", help="two runs: what differs, and where they diverge")
    add("--decide", nargs=2, metavar=("A", "B"), help="two runs, or folders of one setting each: "
        "train more seeds of both until one is better, or they are equal")  # fmt: skip
    add("--budget", type=_positive(int), metavar="RUNS", help="of --decide: the most "
        "runs to train (20)")  # fmt: skip
    add("--margin", type=_positive(float), metavar="SIZE", help="differences below it count as "
        "none; default: 0.005 for fractions such as accuracies, else 1%% of the best")  # fmt: skip
    return flags


def _positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    """A number above 0 from the command line."""

    def read(text: str) -> float:
        value = kind(text)
        if not 0 < value < math.inf:
            raise ValueError
        return value

    read.__name__ = f"number above 0: {kind.__name__}"
    return read


def main(argv: list[str] | None = None, decide: Decide | None = None) -> int:
    """The command; returns the exit code: 1 if no run has finished.

    Args:
        argv: Arguments; None for the process's own.
        decide: What `--decide` does; it trains, which comparing does not.
    """
    return report(lambda: _main(sys.argv[1:] if argv is None else argv, decide))


def _main(argv: list[str], decide: Decide | None) -> int:
    flags = parser()
    arguments, unknown = flags.parse_known_args(argv)
    if unknown:
        valid = [flag for action in flags._actions for flag in action.option_strings]
        guess = closest_match(unknown[0].partition("=")[0], valid)
        hint = f"; did you mean {guess}?" if guess else ""
        raise UserError(f"unknown option '{unknown[0]}'{hint} (see --help)")
    if arguments.diff is not None:
        return _diff(arguments)
    if arguments.decide is not None:
        assert decide is not None
        _refuse(arguments, "--decide", ("csv", "md", "plot"))
        arguments.budget = arguments.budget or DEFAULT_BUDGET
        return decide(arguments)
    if arguments.budget:
        raise UserError("--budget is for --decide A B (see --help)")
    if not arguments.folders:
        raise UserError("which runs? give folders, such as outputs (see --help)")
    return _rank(arguments)


def _rank(arguments: argparse.Namespace) -> int:
    for folder in arguments.folders:
        name, equals, value = folder.partition("=")
        if equals and f"--{name}" in NAMED:
            raise UserError(f"'{folder}': options have dashes here: --{name} {value} (see --help)")
    folders = [user_path(folder) for folder in arguments.folders]
    over = [] if arguments.group_by == "none" else arguments.group_by.split(",")
    done, unranked = read_runs(folders)
    tables, lacking = rank(done, arguments.metric, over)
    unranked += lacking
    if arguments.plot:
        plots.check(tables)
    if arguments.csv:
        print(data_formats.as_csv(tables, unranked))
    elif arguments.md:
        print(formats.markdown(tables, unranked, arguments.margin))
    elif arguments.json:
        print(data_formats.as_json(tables, unranked, arguments.margin))
    else:
        print(formats.text(tables, unranked, fit=sys.stdout.isatty(), margin=arguments.margin))
    if arguments.plot:
        paths, notes = plots.draw(tables, plots.output_folder(folders))
        stream = sys.stderr if arguments.csv or arguments.md or arguments.json else sys.stdout
        for line in ("", *(f"plot      {path}" for path in paths), *notes):
            print(line, file=stream)
    return 0 if tables else 1


def _refuse(arguments: argparse.Namespace, option: str, names: tuple[str, ...]) -> None:
    for name in names:
        if value := getattr(arguments, name):
            refused = f"'{value[0]}'" if name == "folders" else f"--{name}"
            raise UserError(f"{option} compares two runs, and takes no {refused} (see --help)")


def _diff(arguments: argparse.Namespace) -> int:
    if len(arguments.diff) != 2:
        raise UserError(f"--diff takes two runs, got {len(arguments.diff)} (see --help)")
    refused = ("folders", "metric", "csv", "md", "plot", "decide", "budget", "margin")
    _refuse(arguments, "--diff", refused)
    first, second = (Record.read(find_run(path, "--diff").path) for path in arguments.diff)
    difference = diff(first, second)
    if arguments.json:
        print(side_by_side.as_json(first, second, difference))
    else:
        print(side_by_side.as_text(first, second, difference, fit=sys.stdout.isatty()))
    return 0
