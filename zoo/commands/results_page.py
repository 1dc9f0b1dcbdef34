"""The tables of results: all recipes in docs/results.md, a few in README.md."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.phrases import plural
from zoo.runs.rank import larger_is_better

BEGIN, END = "<!-- results: python scripts/results.py -->", "<!-- end of results -->"
SHORT = (  # what README.md shows
    "cnn_digits", "mlp_breast_cancer", "gpt_shakespeare", "bert_pydoc", "transformer_multi30k",
    "diffusion_digits",
)  # fmt: skip
HEADER = """\
| `experiment=` | what it shows | parameters | test result | trivial answer | \
classical model | training |
|---|---|---:|---:|---:|---:|---:|
"""
SHORT_HEADER = """\
| `experiment=` | what it shows | test result | trivial answer | classical model | training |
|---|---|---:|---:|---:|---:|
"""
MODELS_HEADER = """
| data | metric | trivial answer | {} |
|---|---|---:|{}
"""
NOTE = (
    "\nMean ± standard deviation over seeds (of one seed there is none). The classical model "
    "(scikit-learn, or n-grams with\nKneser-Ney smoothing) has the same splits; the better of the "
    "two is **bold**. "
)
MODELS_NOTE = (
    "\nThe classical models one by one; `*` marks the one that held-out data chooses, which is in "
    "the table above. Neither it\nnor its settings are chosen by the test split.\n"
)
Row = dict[str, Any]


def full_table(rows: Mapping[str, Row], baselines: Mapping[str, Row]) -> str:
    """The table of docs/results.md, and the machines that it was measured on."""
    lines = []
    for name, row in rows.items():
        network, classical = compared(row, baselines.get(name))
        cells = [
            f"[`{name}`](../configs/experiment/{name}.yaml)",
            about(name),
            f"{row['parameters']:,}",
            network,
            trivial_text(published_metric(row), row, baselines.get(name)),
            classical,
            training_text(row),
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    places = sorted({f"{row['device']}, torch {row['torch']}" for row in rows.values()})
    note = f"{NOTE}Trained on {' and '.join(places)}.\n" if rows else ""
    return HEADER + "".join(lines) + note + models_table(baselines)


def models_table(baselines: Mapping[str, Row]) -> str:
    """Each kind of classical model where several were tried, a line for each data set: that of the
    recipe with the most seeds."""
    widest: dict[str, Row] = {}
    for row in baselines.values():
        data = row["settings"].get("data.name", "")
        if row.get("models") and len(row["seeds"]) > len(widest.get(data, {"seeds": ()})["seeds"]):
            widest[data] = row
    kinds = list(dict.fromkeys(kind for row in widest.values() for kind in row["models"]))
    lines = []
    for data, row in widest.items():
        metric = next(iter(row["metrics"]))
        cells = [f"`{data}`", metric.removeprefix("test/"), trivial_text(metric, None, row)]
        for kind in kinds:
            value = row["models"].get(kind, {}).get(metric)
            text = figure(metric, value, label=False) if value else "–"
            cells.append(f"{text} *" if kind == row["name"] else text)
        lines.append(f"| {' | '.join(cells)} |\n")
    header = MODELS_HEADER.format(" | ".join(kinds), "---:|" * len(kinds))
    return MODELS_NOTE + header + "".join(lines) if lines else ""


def short_table(rows: Mapping[str, Row], baselines: Mapping[str, Row]) -> str:
    """The table of README.md."""
    lines = []
    for name in [name for name in SHORT if name in rows]:
        network, classical = compared(rows[name], baselines.get(name))
        link = f"[`{name}`](configs/experiment/{name}.yaml)"
        trivial = trivial_text(published_metric(rows[name]), rows[name], baselines.get(name))
        cells = [link, about(name), network, trivial, classical, training_text(rows[name])]
        lines.append(f"| {' | '.join(cells)} |\n")
    return SHORT_HEADER + "".join(lines)


def compared(row: Row, baseline: Row | None) -> tuple[str, str]:
    """The network's result and the classical model's, the better one bold."""
    metric = published_metric(row)
    network = f"{figure(metric, row['metrics'][metric])} ({plural(row['runs'], 'seed')})"
    if baseline is None or metric not in baseline.get("metrics", ()):
        return network, "–"
    value = baseline["metrics"][metric]
    classical = f"{figure(metric, value, label=False)} {baseline['name']}"
    ours, theirs = row["metrics"][metric]["mean"], value["mean"]
    if ours == theirs:
        return network, classical
    won = (ours > theirs) == larger_is_better(metric, "")
    return (f"**{network}**", classical) if won else (network, f"**{classical}**")


def published_metric(row: Row) -> str:
    """The metric that the experiment promises, such as `test/accuracy`."""
    promised = [name for name in row["expect"] if name in row["metrics"]]
    return (promised or list(row["metrics"]))[0]


def figure(metric: str, value: Row, label: bool = True) -> str:
    """`accuracy 99.20 ± 0.10 %`; without its deviation where there is one value."""
    name = metric.removeprefix("test/").replace("val/", "validation ")
    percentage = name.rpartition(" ")[2] in ("accuracy", "accuracy_gap", "exact_match")
    scale, digits, unit = (100, 2, " %") if percentage else (1, 3, "")
    spread = f" ± {scale * value['std']:.{digits}f}" if len(value["values"]) > 1 else ""
    return f"{name + ' ' if label else ''}{scale * value['mean']:.{digits}f}{spread}{unit}"


def trivial_text(metric: str, row: Row | None, baseline: Row | None) -> str:
    """What an answer reaches that does not look at the input: `10.20 % majority class`."""
    for trivial in ((row or {}).get("baseline"), (baseline or {}).get("trivial")):
        if trivial and metric in trivial["metrics"]:
            name = trivial["name"]
            if metric.endswith("accuracy_gap"):  # of what is drawn, which the last of them is
                name = name.rpartition(", ")[2]
            return f"{figure(metric, trivial['metrics'][metric], label=False)} {name}"
    return "–"


def training_text(row: Row) -> str:
    """`57 s, fp32`."""
    seconds = row["seconds"]["mean"]
    duration = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    return f"{duration}, {row['precision']}"


def about(experiment: str) -> str:
    """The first sentence of an experiment file's comment."""
    lines = []
    for line in configs.experiments()[experiment].splitlines():
        if not line.startswith("#"):
            break
        text = line.lstrip("# ")
        if not text.startswith(("@", "python ")):
            lines.append(text)
    return re.split(r"(?<=[.?!:])\s(?=[A-Z])", " ".join(lines))[0].replace("|", "\\|")


def with_table(page: Path, content: str) -> str:
    """A page with its table replaced.

    Raises:
        UserError: The marks of the table are missing.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{page.name} lacks the lines '{BEGIN}' and '{END}' around its table")
    return f"{before}{BEGIN}\n{content}{END}{after}"


def pages(root: Path, rows: Mapping[str, Row], baselines: Mapping[str, Row]) -> Iterator[Any]:
    """Each page with a table, and its text with the table renewed."""
    for page, content in (
        (root / "README.md", short_table(rows, baselines)),
        (root / "docs" / "results.md", full_table(rows, baselines)),
    ):
        yield page, with_table(page, content)
