"""`python scripts/predict.py run=... input=...`: predictions of a trained model."""

import contextlib
import json
import sys
from collections.abc import Iterable
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from zoo.commands.answers import OPTIONS, answer, bind, joined, respond_of, same_text
from zoo.commands.arguments import modules, options, switch
from zoo.commands.lines import each_input
from zoo.config import groups as configs
from zoo.errors import UserError, report
from zoo.files import finite
from zoo.runs.find import find_run
from zoo.schema import matches_type, parameters
from zoo.terminal import warn
from zoo.text_table import text_table

if TYPE_CHECKING:
    from zoo.restore import Restored
    from zoo.weights.peft import Adapter

USAGE = """\
python scripts/predict.py run=outputs/<name>/<date_time> input=... [option=value ...]
python scripts/predict.py run=outputs/<name>/<date_time> out=grid.png [samples=16] [class=...]

Predictions of a trained model for new inputs; or what a generative model draws.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
input=       for image models: an image file, or a folder of images; for table models: a CSV or
             JSON file with the columns of the training data, or a row as name=value,name=value or
             JSON; for language models: a text; input=- reads standard input: a table, or texts,
             one per line; may be given several times
checkpoint=  best (default), last, a step, or the name of a checkpoint
top=         classes (default 3) or words to list for each input
device=      auto (default), cpu, cuda, ...
json=true    print one JSON object per line, with all probabilities; text once it is complete
options=     [continuations] of the text to choose from, for causal language models: the likeliest
             is the answer; "[' good',' bad']" after a text that ends in no space
candidates=  [captions] to choose from, for models of images and captions (clip)
images=      for these models, a folder of images to choose from; input= is then a caption
plugins=     [modules] to import first; those in the run's config are not imported by default
base=        the weights that a LoRA run's adapter belongs to, if they have moved
adapters=    [folders] of LoRA runs or PEFT adapters, applied one after another; none: without one

Models of conversations (data=sft with messages) take chat=true system="..." to talk: each input= or
line of the standard input is a message, answered with those before it in view.
Models that fill in [MASK] take second="..." after training on pairs: does it follow input=?
Models of texts that read both sides (bert) take embed=mean or embed=cls: the vector of each input=,
the mean over its tokens or that of [CLS], and the cosine with the first; out=vectors.npz writes
them. Published weights need no run: init.from=sentence-transformers/all-MiniLM-L6-v2 in its place.
Models that draw images take out=grid.png or out=folder (an image a file, a folder a class) and
samples=16 class=<name> seed=0, or input= and out= for images restored or completed.
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
DRAWS = ("out", "samples", "class")  # one of these without input= asks for new images
CHAT = {"chat": "false", "system": ""}
Row = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    try:
        return report(lambda: _main(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # the user stopped a long text
        print()
        return 130


def _sorted(argv: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """The arguments that every task takes, the options of this one's, and the inputs."""
    arguments: list[str] = []
    chosen: dict[str, str] = {}
    inputs: list[str] = []
    for argument in argv:
        key, equals, value = argument.partition("=")
        if key == "input" and equals:
            inputs.append(value)
        is_common = key in (*COMMON, *CHAT, *configs.GROUPS, "run", "input", "experiment")
        if is_common or not equals or not key.isidentifier():
            arguments.append(argument)
        else:
            chosen[key] = value
    return arguments, chosen, inputs


def _options(argv: list[str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """The options of the command, those of the task, and the inputs.

    Raises:
        UserError: An option that is unknown, wrong, or missing.
    """
    arguments, chosen, inputs = _sorted(argv)
    chats = "chat=true" in arguments
    draws = not inputs and not chats and not chosen.keys().isdisjoint(DRAWS)
    needed = "" if draws or chats else ...
    values, overrides = options(arguments, USAGE, run=..., input=needed, **COMMON, **CHAT)
    if overrides:
        raise UserError(f"'{overrides[0]}': a model predicts as it was trained; give only input=")
    values |= {"draws": draws, "json": switch(values, "json"), "chat": switch(values, "chat")}
    if values["system"] and not values["chat"]:
        raise UserError("system= belongs to a conversation; add chat=true")
    if values["top"] and (not values["top"].isdecimal() or int(values["top"]) < 1):
        raise UserError(f"top={values['top']}: expected a whole number above 0")
    return values, chosen, inputs or ["-"] if chats else inputs


def _main(argv: list[str]) -> int:
    if any(argument.startswith("embed=") for argument in argv):
        from zoo.commands.embed import main as embed

        return embed(argv, USAGE)
    values, chosen, inputs = _options(argv)
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore

    plugins = modules(values["plugins"])
    restored = restore(run, values["checkpoint"], values["device"], plugins, warn, values["base"])
    if values["draws"] or "out" in chosen:
        _write_images(restored, chosen, inputs, values["json"])
    if not values["draws"]:
        _answer_all(restored, values, chosen, inputs)
    return 0


def _answer_all(
    restored: "Restored", values: dict[str, Any], chosen: dict[str, str], inputs: list[str]
) -> None:
    """Print the answers to all inputs, by the options of the command and those of the task."""
    from zoo.commands.chat import Talk
    from zoo.commands.samples import predict
    from zoo.weights.adapters import each_adapter

    as_json = values["json"]
    if values["chat"] and OPTIONS in chosen:
        raise UserError("options= and chat=true: options answer one message; leave out chat=true")
    respond = respond_of(restored, warn, chosen)
    if values["top"] and respond is not None and "top" in parameters(respond):
        chosen = chosen | {"top": values["top"]}
    settings = bind(respond, chosen, _read, ["run", "input", *COMMON, *CHAT])
    top = int(values["top"] or settings.get("top", TOP))
    adapters = _adapters(restored, modules(values["adapters"]))
    talk = Talk(restored, values["system"], settings, warn) if values["chat"] else None
    if talk and len(adapters) > 1:
        raise UserError("adapters= and chat=true: a conversation is with one model; give one")
    kind, continues = restored.encoding.kind, "max_tokens" in parameters(respond or predict)
    lines = each_input(inputs, blank=continues, as_texts=kind == "labelled_text")
    for text in inputs if kind == "table" else lines:  # the standard input is one table
        for name in each_adapter(restored.model, adapters):
            fields = {"adapter": name} if name else {}
            if name and not as_json and not talk:
                print(f"--- adapter {name}")
            if respond is None:
                show(predict(restored, [text], warn), top, as_json, fields)
            elif talk is None or text.strip():
                rows = talk.answer(text) if talk else answer(restored, text, settings, warn)
                show(rows, top, as_json, {"input": text} | fields)


def _write_images(
    restored: "Restored", chosen: dict[str, str], inputs: list[str], as_json: bool
) -> None:
    """Draw to `out=`, and say what was written."""
    from zoo.commands.draw import to_files

    files, line = to_files(restored, chosen, inputs, _read, warn)
    print("\n".join(map(json.dumps, files)) if as_json else line)


def _adapters(restored: "Restored", paths: list[str]) -> "dict[str, Adapter | None]":
    """Those of `adapters=`, for the weights that the run's own adapter, if any, belongs to; where
    none are given, its own becomes a part of the weights."""
    from zoo.adapters.lora import fold
    from zoo.weights.adapters import check_exchange, read_adapters

    if not paths:
        fold(restored.model)
        return {}
    config = restored.config
    base = config.init.from_ if config.adapter["name"] == "lora" else restored.run.path
    options = restored.facts | config.model
    adapters = read_adapters(paths, str(base), config.model["name"], options)
    check_exchange(restored.model, restored.facts, adapters)
    for name, adapter in adapters.items():
        if adapter and (remark := adapter.other_base(config.init.quantize)):
            warn(f"adapter {name}: {remark}")
    return adapters


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


def show(rows: Iterable[Row], top: int, as_json: bool, fields: Row | None = None) -> None:
    """Print rows: text as it comes, others as a table; or all as JSON.

    Pieces of text follow each other as long as all else in their rows stays the same (`sample`).

    Args:
        rows: Predictions.
        top: Classes or words in a table.
        as_json: Whether to print JSON, an object a line; text when it is complete.
        fields: First entries of each row's JSON.
    """
    if as_json:
        for row in joined(rows):
            print(json.dumps(finite((fields or {}) | row)), flush=True)
        return
    for name, group in groupby(rows, same_text):
        if name is None:
            print(describe(list(group), top))
        else:
            _write(group, ", ".join(f"{key} {value}" for key, value in name))


def _write(pieces: Iterable[Row], heading: str) -> None:
    """Text as it comes, ending in a newline."""
    if heading:
        print(f"--- {heading}")
    last = ""
    for row in pieces:
        last = row["text"] or last
        print(row["text"], end="", flush=True)
    print("" if last.endswith("\n") else "\n", end="", flush=True)


def describe(rows: list[dict[str, Any]], top: int) -> str:
    """Predictions as a table; the most probable class and the next ones in one row."""
    from zoo.training.console import exact

    table = []
    for row in chain.from_iterable(_ranked(row, top) for row in rows):
        cells = {
            name: value for name, value in row.items() if name not in ("probabilities", "values")
        }
        cells |= row.get("values", {})  # of several targets, by name
        if "probability" in cells:
            cells["probability"] = f"{cells['probability']:.1%}"
        if "labels" in row:
            cells |= _labels(row, top)
        elif "probabilities" in row and top > 1:
            names = ("class", "token", "tag", "caption")
            said = next((row[key] for key in names if key in row), None)
            ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])
            others = [pair for pair in ranked if pair[0] != said][: top - 1]
            cells["alternatives"] = ", ".join(f"{name} {p:.1%}" for name, p in others)
        table.append([exact(v) if isinstance(v, float) else str(v) for v in cells.values()])
    return text_table([list(cells), *table])


def _ranked(row: Row, top: int) -> list[Row]:
    """The likeliest options of a text, a row each; a row of anything else as it is."""
    if "option" not in row:
        return [row]
    ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])
    return [
        {
            "option": name if name == name.strip() and name.isprintable() else repr(name),
            "probability": p,
            "log-probability": row["log_probabilities"][name],
            "mean per token": row["means_per_token"][name],
        }
        for name, p in ranked[:top]
    ]


def _labels(row: Row, top: int) -> Row:
    """The labels that are predicted, and the likeliest of the others."""
    ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])
    chosen = [f"{name} {p:.1%}" for name, p in ranked if name in row["labels"]]
    others = [f"{name} {p:.1%}" for name, p in ranked if name not in row["labels"]]
    return {"labels": ", ".join(chosen) or "none", "others": ", ".join(others[:top])}
