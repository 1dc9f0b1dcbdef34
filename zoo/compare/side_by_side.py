"""Two runs side by side, as text and as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zoo.compare.formats import plain
from zoo.runs.diff import Difference, Parting
from zoo.runs.records import Record
from zoo.runs.settings import ABSENT, spell
from zoo.text_table import text_table
from zoo.training.console import show

HASH = 50  # letters of a fact: a commit with its -dirty, half of a SHA-256


def as_text(one: Record, other: Record, found: Difference, fit: bool) -> str:
    """For people; wrapped to a terminal's width if `fit`."""
    settings = [(name, spell(a), spell(b)) for name, a, b in found.settings]
    facts = [(name, *(_fact(x)[:HASH] for x in two)) for name, *two in found.facts]
    figures = [(n, _figure(a), _figure(b), _apart(a, b)) for n, a, b in found.figures]
    blocks = [f"A  {one.path}\nB  {other.path}"]
    for title, rows, none in (
        ("settings", settings, "no setting that has an effect differs"),
        ("run", facts, "code, data and environment are the same"),
    ):
        blocks.append(_table([(title, "A", "B"), *rows], fit) if rows else none)
    if figures:
        blocks.append(_table([("result", "A", "B", "B - A"), *figures], fit))
    else:
        blocks.append("neither has a result")
    blocks.append(parted(found.parting))
    return "\n\n".join(blocks)


def as_json(one: Record, other: Record, found: Difference) -> str:
    """The same for programs."""
    rows = {
        part: {name: [a, b] for name, a, b in pairs}
        for part, pairs in (
            ("settings", found.settings),
            ("run", found.facts),
            ("result", found.figures),
        )
    }
    losses = asdict(found.parting) if found.parting else None
    content: dict[str, Any] = {"A": str(one.path), "B": str(other.path)} | rows
    return json.dumps(plain(content | {"losses": losses}), indent=1)


def parted(found: Parting | None) -> str:
    """Where losses part, in a line or two."""
    if found is None:
        return "losses     cannot be compared: no step at which both have reported"
    step, a, b = found.end
    end = f"at step {step:,}, the last of both: {show(a)} and {show(b)}{_share(a, b)}"
    reports = f"{found.equal:,} report{'s' * (found.equal != 1)}"
    if found.step is None:
        whole = f"identical to the last bit in all {reports}, to step {step:,}"
        return f"losses     {found.metric} {whole}"
    assert found.values is not None
    here = f"{found.values[0]!r} and {found.values[1]!r}{_share(*found.values)}"
    if found.equal:
        so_far = f"identical to the last bit for {found.together:,} steps ({reports}), "
    else:
        so_far = "never the same: they "
    first = f"{found.metric} {so_far}part at step {found.step:,}: {here}"
    return f"losses     {first}" + (f"\n           {end}" if step != found.step else "")


def _share(a: float, b: float) -> str:
    """`, 1.2 % apart`."""
    whole = max(abs(a), abs(b))
    if not math.isfinite(a) or not math.isfinite(b) or not whole:
        return ""
    return f", {100 * abs(a - b) / whole:.2g} % apart"


def _table(rows: Sequence[tuple[str, ...]], fit: bool) -> str:
    return text_table(rows, None if fit else 10**6)


def _fact(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _figure(value: float | None) -> str:
    return ABSENT if value is None else show(value)


def _apart(a: float | None, b: float | None) -> str:
    if a is None or b is None:
        return ""
    return "0" if a == b else f"{b - a:+.3g}"
