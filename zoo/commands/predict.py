"""`python scripts/predict.py run=... input=...`: predictions of a trained model."""

import contextlib
import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.commands.arguments import options
from zoo.commands.evaluate import modules, switch
from zoo.commands.lines import texts as _texts
from zoo.config import groups as configs
from zoo.errors import UserError, closest_match, report
from zoo.files import finite
from zoo.runs.find import find_run
from zoo.schema import matches_type, parameters, type_mismatch
from zoo.text_table import text_table

if TYPE_CHECKING:
    from zoo.restore import Restored
    from zoo.weights.peft import Adapter

USAGE = """\
python scripts/predict.py run=outputs/<name>/<date_time> input=... [option=value ...]

Predictions of a trained model for new inputs.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
input=       for image models: an image file, or a folder of images; for table models: a CSV or
             JSON file with the columns of the training data, or a row as name=value,name=value or
             JSON; for language models: a text; input=- reads standard input: a table, or texts,
             one per line; may be given several times
checkpoint=  best (default), last, a step, or the name of a checkpoint
top=         classes (default 3) or words to list for each input
device=      auto (default), cpu, cuda, ...
json=true    print one JSON object per line, with all probabilities; text once it is complete
plugins=     [modules] to import first; those in the run's config are not imported by default
base=        the weights that a LoRA run's adapter belongs to, if they have moved
adapters=    [folders] of LoRA runs or PEFT adapters, applied one after another; none: without one

Models that continue text (causal_lm) also take max_tokens=200 temperature=0.8 (0: greedy decoding)
top_k=null top_p=1 repetition_penalty=1 stop='["\\n\\n"]' seed=0 samples=1; other language models
have other options; the error message for an unknown option lists them.
"""
COMMON = {
    "checkpoint": "best",
    "top": "",
    "device": "auto",
    "json": "false",
    "plugins": "[]",
    "adapters": "[]",
    "base": "",
}
TOP = 3
Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    try:
        return report(lambda: _main(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # the user stopped a long text
        print()
        return 130


def _main(argv: list[str]) -> int:
    arguments, chosen_text, inputs = [], {}, []
    for argument in argv:
        key, equals, value = argument.partition("=")
        if key == "input" and equals:
            inputs.append(value)
        is_common = key in (*COMMON, *configs.GROUPS, "run", "input", "experiment")
        if is_common or not equals or not key.isidentifier():
            arguments.append(argument)
        else:
            chosen_text[key] = value
    values, overrides = options(arguments, USAGE, run=..., input=..., **COMMON)
    if overrides:
        raise UserError(f"'{overrides[0]}': a model predicts as it was trained; give only input=")
    as_json = switch(values, "json")
    if values["top"] and (not values["top"].isdecimal() or int(values["top"]) < 1):
        raise UserError(f"top={values['top']}: expected a whole number above 0")
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore
    from zoo.tasks.base import Responder

    restored = restore(
        run,
        values["checkpoint"],
        values["device"],
        modules(values["plugins"]),
        warn,
        values["base"],
    )
    respond = restored.task.respond if isinstance(restored.task, Responder) else None
    chosen = _bind(respond, chosen_text | ({"top": values["top"]} if values["top"] else {}))
    top = int(values["top"] or chosen.get("top", TOP))
    from zoo.adapters.lora import fold
    from zoo.commands.samples import predict
    from zoo.weights.adapters import each_adapter

    adapters = _adapters(restored, modules(values["adapters"]))
    if not adapters:
        fold(restored.model)
    whole = restored.encoding.kind == "table"  # the standard input is one table
    for text in inputs if whole else chain.from_iterable(map(_texts, inputs)):
        for name in each_adapter(restored.model, adapters):
            fields = {"adapter": name} if name else {}
            if name and not as_json:
                print(f"--- adapter {name}")
            if respond is None:
                show(predict(restored, text, warn), top, as_json, fields)
            else:
                show(answer(restored, text, chosen), top, as_json, {"input": text} | fields)
    return 0


def _adapters(restored: "Restored", paths: list[str]) -> "dict[str, Adapter | None]":
    """Those of `adapters=`, for the weights that the run's own adapter, if any, belongs to."""
    from zoo.weights.adapters import read_adapters

    config = restored.config
    base = config.init.from_ if config.adapter["name"] == "lora" else restored.run.path
    options = restored.facts | config.model
    return read_adapters(paths, str(base), config.model["name"], options)


def _bind(respond: Callable[..., Any] | None, values_by_name: dict[str, str]) -> Row:
    """Options for a task's `respond`, from the command line's text by its signature."""
    schema = parameters(respond) if respond else {}
    schema = {name: p for name, p in schema.items() if name not in ("model", "input")}
    chosen = {name: p.default for name, p in schema.items() if name == "top"}
    for name, text in values_by_name.items():
        if name not in schema and name == "top":
            continue  # of tables
        if name not in schema:
            task_options = [option for option in schema if option not in COMMON]
            valid = ["run", "input", *COMMON, *task_options]
            guess = closest_match(name, valid)
            hint = f"; did you mean '{guess}='?" if guess else ""
            raise UserError(f"unknown option '{name}={text}'{hint} (options: {'=, '.join(valid)}=)")
        chosen[name] = _read(text, schema[name].annotation)
        if not matches_type(chosen[name], schema[name].annotation):
            raise UserError(type_mismatch(name, chosen[name], schema[name].annotation))
    return chosen


def _read(text: str, annotation: Any) -> Any:
    """The value of an option: text as it is, several texts as JSON."""
    from zoo.config.declared import takes_text
    from zoo.config.text import read

    if not takes_text(annotation):
        return read(text, annotation)
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(text)
        if isinstance(value, list) and matches_type(value, annotation):
            return value
    return None if text == "null" and matches_type(None, annotation) else text


def answer(restored: "Restored", text: str, chosen: Row) -> Iterator[Row]:
    """The task's answer to a text: rows, with `text` where it is generated piece by piece.

    Args:
        restored: The run.
        text: The input.
        chosen: Options of the task's `respond`.

    Raises:
        UserError: A text or an option that the task refuses.
    """
    import torch

    from zoo.tasks.base import Responder

    assert isinstance(restored.task, Responder)
    with torch.no_grad(), restored.precision.autocast():
        for number, row in enumerate(restored.task.respond(restored.model, text, **chosen)):
            if number == 0:  # what is refused gets its error alone
                _warn_of(restored, text)
            yield row


def _warn_of(restored: "Restored", text: str) -> None:
    """Say what of a text the model cannot know, and that a file is none."""
    with contextlib.suppress(OSError, ValueError):  # a long text is no name
        if Path(text).is_file():
            lines = f"for its lines: input=- < {shlex.quote(text)}"
            warn(f"'{text}' is taken as a text, though a file has this name; {lines}")
    tokenizer = restored.encoding.tokenizer
    if tokenizer is not None and tokenizer.knows_nothing(text):
        warn("the run's vocabulary knows nothing of the text: the answer does not depend on it")


def show(rows: Iterable[Row], top: int, as_json: bool, fields: Row | None = None) -> None:
    """Print rows: text as it comes, others as a table; or all as JSON.

    Pieces of text follow each other as long as all else in their rows stays the same (`sample`).

    Args:
        rows: Predictions.
        top: Classes or words in a table.
        as_json: Whether to print JSON, an object a line; text when it is complete.
        fields: First entries of each row's JSON.
    """
    for name, group in groupby(rows, lambda row: _name(row) if "text" in row else None):
        if as_json:
            for row in group if name is None else [_joined(list(group))]:
                print(json.dumps(finite((fields or {}) | row)), flush=True)
        elif name is None:
            print(describe(list(group), top))
        else:
            _write(group, ", ".join(f"{key} {value}" for key, value in name))


def _name(row: Row) -> tuple[tuple[str, Any], ...]:
    return tuple((key, value) for key, value in row.items() if key != "text")


def _joined(pieces: list[Row]) -> Row:
    return pieces[0] | {"text": "".join(row["text"] for row in pieces)}


def _write(pieces: Iterable[Row], heading: str) -> None:
    """Text as it comes, ending in a newline."""
    if heading:
        print(f"--- {heading}")
    last = ""
    for row in pieces:
        last = row["text"] or last
        print(row["text"], end="", flush=True)
    print("" if last.endswith("\n") else "\n", end="", flush=True)


def warn(text: str) -> None:
    """To the standard error stream, so that JSON stays JSON."""
    print(f"warning: {text}", file=sys.stderr)


def describe(rows: list[dict[str, Any]], top: int) -> str:
    """Predictions as a table; the most probable class and the next ones in one row."""
    from zoo.training.console import show

    table = []
    for row in rows:
        cells = {
            name: value for name, value in row.items() if name not in ("probabilities", "values")
        }
        cells |= row.get("values", {})  # of several targets, by name
        if "probability" in cells:
            cells["probability"] = f"{cells['probability']:.1%}"
        if "probabilities" in row and top > 1:
            ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])[1:top]
            cells["alternatives"] = ", ".join(f"{name} {p:.1%}" for name, p in ranked)
        table.append([show(v) if isinstance(v, float) else str(v) for v in cells.values()])
    return text_table([list(cells), *table])
