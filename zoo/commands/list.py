"""`python scripts/list.py [models|data|experiments]`: what is available, read from files alone."""

import importlib
import json
import re
import sys
from collections.abc import Callable
from typing import Any

import yaml

from zoo.commands.arguments import modules, print_help, with_config_dir
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError, report, unknown_name
from zoo.text_table import text_table

USAGE = """\
python scripts/list.py [models|data|experiments] [--config-dir DIR] [plugins=[my_models]]

List the available models with their papers, the data, and the experiments with their results;
--config-dir and plugins= add your own."""
RESULTS = configs.shipped("docs/results.json")
DIGITS = {"input_shape": (1, 8, 8), "num_classes": 10, "num_outputs": 10}  # the default's facts
PAPER = re.compile(r"^(.+?, \d{4}), https?://(\S+)", re.MULTILINE)
NEEDS = {"download": "download", "files": "your files"}


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return report(lambda: with_config_dir(_main, arguments))


def _main(arguments: list[str]) -> int:
    if any(a in ("-h", "--help") for a in arguments):
        print_help(USAGE)
        return 0
    names = [a for a in arguments if not a.startswith("plugins=")]
    for name in names:
        if name not in TABLES:
            raise UserError(unknown_name("argument", name, TABLES))
    _import([a.partition("=")[2] for a in arguments if a not in names])
    tables = [TABLES[name]() for name in names or TABLES]
    print("\n\n".join(tables))
    return 0


def _import(plugins: list[str]) -> None:
    if plugins:
        from zoo.importing import import_plugins

        import_plugins([name for text in plugins for name in modules(text)])


def models() -> str:
    """Name, parameters, paper and experiments of every model."""
    from zoo.registry import MODELS

    rows = [("model", "parameters", "paper", "experiments")]
    for name in MODELS.names():
        module = importlib.import_module(MODELS[name].builder.__module__)
        match = PAPER.search(module.__doc__ or "")
        paper = f"{match[1]}, {match[2].rstrip('.,;:)')}" if match else ""
        used = ", ".join(configs.experiments_with("model", name))
        rows.append((name, _count(name), paper, used))
    return (
        text_table(rows) + "\nparameters: with the default options, on data=digits if they fit it"
    )


def _count(name: str) -> str:
    """Parameters of a model's default options, on the default data's facts or its own tiny ones."""
    import torch

    from zoo.registry import MODELS

    entry = MODELS[name]
    options = compose.load([f"model={name}"]).model if name in configs.choices("model") else {}
    tiny = {k: v for k, v in entry.tests.get("tiny", {}).items() if k not in options}
    facts = tiny | {fact: DIGITS[fact] for fact in tiny if fact in DIGITS}
    try:
        with torch.device("meta"):  # shapes alone
            model = MODELS.build({"name": name} | options, **facts)
    except (RuntimeError, NotImplementedError, UserError):
        return "?"
    return f"{sum(p.numel() for p in model.parameters()):,}"


def data() -> str:
    """Name, what it needs, and what it is."""
    from zoo.registry import DATASETS

    rows = [("data", "needs", "what")]
    for name in configs.choices("data"):
        text = configs.config_file("data", name).read_text(encoding="utf-8")
        builder = (yaml.safe_load(text) or {}).get("name", name)
        needs = "its plugin"
        if builder in DATASETS.names():
            needs = NEEDS.get(DATASETS[builder].tests.get("needs", ""), "nothing")
        rows.append((name, needs, comment(text)))
    return text_table(rows)


def comment(text: str) -> str:
    """The first line of a YAML file's opening comment that is no directive and no command."""
    for line in text.splitlines():
        text_of_line = line.removeprefix("#").strip()
        directive = text_of_line.startswith(("@package", "python "))
        if line.startswith("#") and text_of_line and not directive:
            return text_of_line
    return ""


def experiments() -> str:
    """Name, model, data, expected and measured metric."""
    default = _chosen(yaml.safe_load((configs.CONFIG_DIR / "train.yaml").read_text("utf-8")))
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    rows = [("experiment", "model", "data", "expects", "measured")]
    for name, text in configs.experiments().items():
        content = yaml.safe_load(text) or {}
        chosen = default | _chosen(content)
        expect = content.get("expect") or {}
        measured = [_measured(results.get(name, {}), metric) for metric in expect]
        promised = ", ".join(f"{metric} {bound}" for metric, bound in expect.items())
        rows.append(
            (name, chosen["model"], chosen["data"], promised, ", ".join(filter(None, measured)))
        )
    return text_table(rows)


def _chosen(content: dict[str, Any]) -> dict[str, str]:
    """Group to choice, from a defaults list."""
    entries = [e for e in content.get("defaults", []) if isinstance(e, dict)]
    pairs = [pair for entry in entries for pair in entry.items()]
    return {key.removeprefix("override").strip().lstrip("/"): choice for key, choice in pairs}


def _measured(result: dict[str, Any], metric: str) -> str:
    """`0.9921±0.0012 (5)`, of 5 runs, as docs/results.json says."""
    values = result.get("metrics", {}).get(metric)
    if not values:
        return ""
    runs = result.get("runs", len(values.get("values", [])))
    spread = f"±{values['std']:.4f} ({runs})" if runs > 1 else ""
    return f"{values['mean']:.4f}{spread}"


TABLES: dict[str, Callable[[], str]] = {"models": models, "data": data, "experiments": experiments}
