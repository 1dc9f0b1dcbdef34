"""The results of a run as a table and as the figures that one sees first."""

import math
from typing import Any

from zoo.report.html import Html, element, table
from zoo.report.page import tile, tiles
from zoo.runs.records import Record
from zoo.training.console import duration, show

HIDDEN = ("step", "lr", "grad_norm")
SPLITS = {"val": "validation", "test": "test"}
Figures = dict[str, float]


def figures(run: Record, split: str) -> Figures:
    """The metrics of a split, nan for those that were not finite."""
    row = run.result.get(split)
    if split == "val" and not row:
        row = run.result.get("best")
    return _numbers(row)


def _numbers(row: Any) -> Figures:
    if not isinstance(row, dict):
        return {}
    return {
        name: math.nan if value is None else float(value)
        for name, value in row.items()
        if name not in HIDDEN
        and (value is None or isinstance(value, int | float) and not isinstance(value, bool))
    }


def baseline(run: Record) -> tuple[str, dict[str, Figures], bool | None] | None:
    """The trivial baseline: its name, its figures by split, whether it was beaten; None if the run
    has none."""
    content = run.result.get("baseline")
    if not isinstance(content, dict) or not content.get("name"):
        return None
    by_split = {split: _numbers(content.get(split)) for split in SPLITS}
    beaten = content.get("beaten")
    return str(content["name"]), by_split, beaten if isinstance(beaten, bool) else None


def results(run: Record) -> Html:
    """A row for each metric: validation, test, the baseline, what was expected."""
    found = {split: figures(run, split) for split in SPLITS}
    names = list(dict.fromkeys(name for row in found.values() for name in row))
    if not names:
        return element("p", "The run has no results: it ended before its first validation.")
    trivial = baseline(run)
    columns: dict[str, Figures] = {}
    for split, title in SPLITS.items():
        columns[title] = found[split]
        if trivial:
            columns[f"{trivial[0]}, {title}"] = trivial[1][split]
    columns = {heading: column for heading, column in columns.items() if column}
    expected = run.result.get("expect") or {}
    heading = ["metric", *columns, *["expected"] * bool(expected)]
    rows = []
    for name in names:
        cells = [_cell(column, name) for column in columns.values()]
        row = [name.replace("_", " "), *cells]
        rows.append([*row, _expected(expected, name)] if expected else row)
    notes = []
    if step := (run.result.get("best") or {}).get("step"):
        metric, best = run.monitor.lstrip("-"), "lowest" if run.monitor[0] == "-" else "highest"
        notes.append(f"Of the best weights: those of step {step:,}, with the {best} validation "
                     f"{metric.replace('_', ' ')}.")  # fmt: skip
    if trivial and trivial[2] is False:
        notes.insert(0, f"The run does not beat {trivial[0]}, which needs no training.")
    parts = [table(heading, rows, "Metrics", class_="figures")]
    for note in notes:
        kind = "note warn" if note.startswith("The run does not") else "note"
        parts.append(element("p", note, class_=kind))
    return Html("".join(parts))


def _cell(row: Figures, name: str) -> str:
    return show(row[name]) if name in row else ""


def _expected(expected: Any, name: str) -> Html:
    """`>= 0.98 met (test)` for each split of which something was expected."""
    parts = []
    for split, title in SPLITS.items():
        entry = expected.get(f"{split}/{name}") if isinstance(expected, dict) else None
        if isinstance(entry, dict):
            met = bool(entry.get("met"))
            verdict = element(
                "strong", "met" if met else "not met", class_="met" if met else "unmet"
            )
            parts.append(element("span", f"{title} {entry.get('expected')}: ", verdict))
    return Html(", ".join(parts))


def headline(run: Record) -> Html:
    """The monitored metric on the test split beside the baseline, size and time."""
    name = run.monitor.lstrip("-")
    title, trivial = name.replace("_", " "), baseline(run)
    parts = []
    for split in ("test", "val"):
        row = figures(run, split)
        if name in row:
            note = ""
            if trivial and name in trivial[1][split]:
                note = f"{trivial[0]}: {show(trivial[1][split][name])}"
            parts.append(tile(f"{SPLITS[split]} {title}", show(row[name]), note))
    result = run.result
    if isinstance(parameters := result.get("parameters"), int):
        trained = result.get("trained")
        is_part = isinstance(trained, int) and trained < parameters
        note = f"{trained:,} of them trained" if is_part else ""
        parts.append(tile("parameters", f"{parameters:,}", note))
    if sizes := (result.get("data") or {}).get("sizes"):
        rest = ", ".join(
            f"{count:,} {SPLITS.get(k, k)}" for k, count in sizes.items() if k != "train"
        )
        parts.append(tile("training samples", f"{sizes.get('train', 0):,}", rest))
    if isinstance(seconds := result.get("seconds"), int | float):
        rate = result.get("rate")
        note = f"{rate:,.0f} samples a second" if isinstance(rate, int | float) and rate else ""
        parts.append(tile("training time", duration(seconds), note))
    return tiles(parts) if parts else Html("")
