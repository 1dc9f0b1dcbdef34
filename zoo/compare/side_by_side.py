"""The differences of two runs, as text and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zoo.files import finite
from zoo.runs.diff import Difference, Divergence
from zoo.runs.records import Record
from zoo.runs.settings import ABSENT, format_value
from zoo.text_table import text_table
from zoo.training.console import show

MAX_FACT = 50  # characters: a commit with its -dirty, most of a SHA-256


def as_text(first: Record, second: Record, difference: Difference, fit: bool) -> str:
    """Plain text; wrapped to the terminal's width if `fit`."""
    settings = [(name, format_value(a), format_value(b)) for name, a, b in difference.settings]
    facts = [
        (name, *(_fact(value)[:MAX_FACT] for value in pair)) for name, *pair in difference.facts
    ]
    metrics = [(n, _metric(a), _metric(b), _change(a, b)) for n, a, b in difference.metrics]
    blocks = [f"A  {first.path}\nB  {second.path}"]
    for title, rows, if_none in (
        ("settings", settings, "no setting that has an effect differs"),
        ("run", facts, "code, data and environment are the same"),
    ):
        blocks.append(_table([(title, "A", "B"), *rows], fit) if rows else if_none)
    if metrics:
        blocks.append(_table([("result", "A", "B", "B - A"), *metrics], fit))
    else:
        blocks.append("neither has a result")
    blocks.append(describe(difference.divergence))
    return "\n\n".join(blocks)


def as_json(first: Record, second: Record, difference: Difference) -> str:
    """The same for programs."""
    rows = {
        section: {name: [a, b] for name, a, b in pairs}
        for section, pairs in (
            ("settings", difference.settings),
            ("run", difference.facts),
            ("result", difference.metrics),
        )
    }
    losses = asdict(difference.divergence) if difference.divergence else None
    content: dict[str, Any] = {"A": str(first.path), "B": str(second.path)} | rows
    return json.dumps(finite(content | {"losses": losses}), indent=1)


def describe(divergence: Divergence | None) -> str:
    """Where two loss curves diverge, in a line or two."""
    if divergence is None:
        return "losses     cannot be compared: no step at which both have reported"
    last, a, b = divergence.end
    at_end = f"at step {last:,}, the last of both: {show(a)} and {show(b)}{_difference(a, b)}"
    reports = f"{divergence.equal:,} report{'s' * (divergence.equal != 1)}"
    if divergence.step is None:
        return f"losses     {divergence.metric} bit-identical in all {reports}, to step {last:,}"
    assert divergence.values is not None
    a, b = divergence.values
    losses = f"{a!r} and {b!r}{_difference(a, b)}"
    before = f"bit-identical for {divergence.together:,} steps ({reports})"
    if not divergence.equal:
        before = "never equal"
    text = f"losses     {divergence.metric} {before}, diverge at step {divergence.step:,}: {losses}"
    return text + (f"\n           {at_end}" if last != divergence.step else "")


def _difference(a: float, b: float) -> str:
    """`, 1.2 % apart`."""
    larger = max(abs(a), abs(b))
    if not math.isfinite(a) or not math.isfinite(b) or not larger:
        return ""
    return f", {100 * abs(a - b) / larger:.2g} % apart"


def _table(rows: Sequence[tuple[str, ...]], fit: bool) -> str:
    return text_table(rows, None if fit else 10**6)


def _fact(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _metric(value: float | None) -> str:
    return ABSENT if value is None else show(value)


def _change(a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return ""
    return "0" if a == b else f"{b - a:+.3g}"
