"""The command `zoo`: `zoo train ...` is train.py, `zoo compare ...` is scripts/compare.py."""

import importlib
import sys

from zoo import __version__
from zoo.errors import UserError, report, unknown_name

COMMANDS = {  # name: (module of zoo with a `main`, what it does)
    "train": ("commands.train", "train a model: zoo train experiment=cnn_digits"),
    "sweep": ("commands.train", "train many: zoo sweep optim.lr=1e-3,3e-3 seed=1,2"),
    "evaluate": ("commands.evaluate", "evaluate a trained model: zoo evaluate run=outputs/..."),
    "predict": ("commands.predict", "apply a trained model: zoo predict run=... input=a.png"),
    "compare": ("commands.compare", "rank runs, and show what differs: zoo compare outputs"),
    "curves": ("commands.curves", "draw learning curves: zoo curves runs=outputs/..."),
    "report": ("commands.report", "write report.html of a run or a sweep, to send to others"),
    "list": ("commands.list", "list the available models, data and experiments"),
    "find-lr": ("commands.find_lr", "find a learning rate by a range test"),
    "harness": ("commands.harness", "judge a language model: zoo harness run=... tasks=[arc_easy]"),
    "export": ("commands.export", "export a model for other programs: zoo export run=..."),
    "preferences": ("commands.preferences", "write a model's wrong answers beside the right ones"),
    "merge": ("commands.merge", "merge LoRA runs of one base: zoo merge adapters=[...] out=..."),
    "export-vectors": ("commands.export_vectors", "export word vectors for other programs"),
}
USAGE = "usage: zoo <command> ...    (zoo <command> --help shows its options)"


def main(argv: list[str] | None = None) -> int:
    """The console script; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return report(lambda: _main(arguments))


def _main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if arguments else 2
    if arguments == ["--version"]:
        print(f"zoo {__version__}")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        raise UserError(unknown_name("command", name, COMMANDS))
    module = importlib.import_module(f"zoo.{COMMANDS[name][0]}")
    if name == "sweep":
        name, rest = "train", ["-m", *rest]
    sys.argv = [f"zoo {name}", *rest]  # read by zoo.program
    return module.main(rest)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["Train and compare the models of the zoo.", "", USAGE, "", *lines])
