"""A comparison as text for people, as Markdown, CSV and JSON for programs."""

import csv
import io
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from zoo.compare.command import repeat, repeat_all
from zoo.program import spelled
from zoo.runs.rank import Group, Spread, Table, not_told_apart
from zoo.runs.records import Apart
from zoo.runs.settings import ABSENT, short_names, spell
from zoo.text_table import GAP, terminal_width, text_table
from zoo.training.console import duration, show

LONGEST = 28  # letters of a cell on a terminal
MOST = 40  # lines of a table on a terminal
FACTS = ("steps", "parameters", "precision", "device", "commit")  # of result.json, if they differ
CODE = 9  # letters of a commit
Rows = list[tuple[str, ...]]


def figure(spread: Spread, runs: int) -> str:
    """`0.9850 ± 0.0123`; without a deviation for a single run."""
    if math.isnan(spread.mean):
        return "nan"
    mean = show(spread.mean)
    if runs < 2:
        return mean
    digits = len(mean.partition(".")[2]) if "e" not in mean else 0
    return f"{mean} ± {spread.deviation:.{digits}f}" if digits else f"{mean} ± {spread.deviation:g}"


def counterpart(metric: str) -> str:
    """The same figure of the other split."""
    split, _, name = metric.partition("/")
    return f"{'test' if split == 'val' else 'val'}/{name}"


def facts(group: Group, name: str) -> str:
    """One of FACTS of a line's runs: `bf16, fp32`."""
    found = {spell_fact(name, run.result.get(name)) for run in group.runs}
    return ", ".join(sorted(found))


def spell_fact(name: str, value: Any) -> str:
    """A fact of result.json for a table."""
    if value is None:
        return ABSENT
    if name == "commit":
        return str(value)[:CODE] + "-dirty" * str(value).endswith("-dirty")
    return f"{value:,}" if isinstance(value, int) else str(value)


def rows_of(table: Table) -> Rows:
    """A heading, and a line for each group: what matters most stands furthest left."""
    other, groups = counterpart(table.metric), table.groups
    names = short_names(table.columns, ("runs", "time", table.metric, other, *FACTS))
    extra = [name for name in FACTS if len({facts(group, name) for group in groups}) > 1]
    with_other = any(not math.isnan(group.figure(other).mean) for group in groups)
    heading = ["", table.metric, *["runs"] * bool(table.over), *names.values()]
    rows = [(*heading, *[other] * with_other, "time", *extra)]
    for place, group in enumerate(groups, 1):
        runs = len(group.runs)
        cells = [str(place), figure(group.score, runs), *[str(runs)] * bool(table.over)]
        cells += [_setting(group, name) for name in table.columns]
        cells += [figure(group.figure(other), runs)] * with_other
        cells += [_time(group.cost("seconds")), *(facts(group, name) for name in extra)]
        rows.append(tuple(cells))
    return rows


def _time(seconds: float) -> str:
    return ABSENT if math.isnan(seconds) else duration(seconds)


def _setting(group: Group, name: str) -> str:
    if name == "experiment":
        return group.runs[0].experiment or ABSENT
    value = group.settings.get(name, ABSENT)
    return f"{value:.4g}" if isinstance(value, float) else spell(value)


def text(tables: Sequence[Table], apart: Sequence[Apart], fit: bool) -> str:
    """For people.

    Args:
        tables: Ranked.
        apart: Not ranked.
        fit: To a terminal's width; else nothing is left out.
    """
    blocks = [_block(table, fit) for table in tables]
    if apart:
        blocks.append(_apart(apart, fit))
    return "\n\n".join(blocks)


def _block(table: Table, fit: bool) -> str:
    way = "larger" if table.larger else "smaller"
    count = _plural(len(table.runs), "run")
    lines = [f"{table.title}, by {table.metric} ({way} is better): {count}", ""]
    rows, notes = rows_of(table), []
    if fit:
        rows, notes = fitted(rows, terminal_width())
    lines += [text_table(rows, None if fit else 10**6), *notes]
    if near := not_told_apart(table):
        places = ", ".join(map(str, near[:8])) + ", ..." * (len(near) > 8)
        lines.append(f"too close to 1 for so few runs (within two standard errors): {places}")
    if table.changed:
        one, other = table.changed
        lines.append(f"warning: equal settings, other data: {one.path} and {other.path}")
    if table.repeats:
        lines.append(
            f"{_plural(table.repeats, 'run')} left out: a newer one has the same settings and "
            f"seed (--group-by none shows all)"
        )
    best = table.groups[0]
    if table.constant:
        same = " ".join(f"{name}={spell(value)}" for name, value in table.constant.items())
        lines.append(f"in all    {same}")
    lines.append(f"best      {best.runs[0].path}" + _more(best))
    lines.append(f"repeat    {repeat_all(best, table.over)}")
    return "\n".join(lines)


def _more(group: Group) -> str:
    return f" and {_plural(len(group.runs) - 1, 'more')}" if len(group.runs) > 1 else ""


def _plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' if count != 1 and word == 'run' else ''}"


def fitted(rows: Rows, width: int) -> tuple[Rows, list[str]]:
    """Rows that fit a line, and what was left out: long cells, columns at the right, lines."""
    notes = []
    if len(rows) > MOST + 1:
        notes.append(f"... {len(rows) - 1 - MOST:,} more lines (--csv has all)")
        rows = rows[: MOST + 1]
    rows = [tuple(_cut(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    kept = len(widths)
    while kept > 3 and sum(widths[:kept]) + GAP * (kept - 1) > width:
        kept -= 1
    if left := rows[0][kept:]:
        what = "columns" if len(left) > 1 else "column"
        names = ", ".join(left)
        notes.append(f"... {len(left)} more {what}: {names} (a wider terminal, or --csv)")
    return [row[:kept] for row in rows], notes


def _cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST else cell[: LONGEST // 2] + "…" + cell[1 - LONGEST // 2 :]


def _apart(apart: Sequence[Apart], fit: bool) -> str:
    """A line each; a path is not broken, so that it can be copied."""
    shown = apart[:MOST] if fit else apart
    width = max(len(one.state) for one in shown)
    lines = ["not ranked", *(f"{a.state.ljust(width)}  {a.path}: {a.reason}" for a in shown)]
    if left := len(apart) - len(shown):
        lines.append(f"... {left:,} more (--csv has all)")
    commands = dict.fromkeys(spelled(shlex.join(one.command)) for one in apart if one.command)
    return "\n".join(lines + [f"go on     {command}" for command in commands])


def markdown(tables: Sequence[Table], apart: Sequence[Apart]) -> str:
    """Tables of Markdown."""
    blocks = []
    for table in tables:
        heading, *rows = rows_of(table)
        way = "larger" if table.larger else "smaller"
        command = repeat_all(table.groups[0], table.over)
        blocks.append(
            f"**{table.title}**, by `{table.metric}` ({way} is better)\n\n"
            f"{_grid([heading, *rows])}\n\n```bash\n{command}\n```"
        )
    if apart:
        rows = [("not ranked", "run", "reason")]
        blocks.append(_grid([*rows, *((a.state, str(a.path), a.reason) for a in apart)]))
    return "\n\n".join(blocks)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    heading, *rest = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    rule = "|".join(["---"] * len(rows[0]))
    return "\n".join([f"| {heading} |", f"|{rule}|", *(f"| {row} |" for row in rest)])


def as_csv(tables: Sequence[Table], apart: Sequence[Apart]) -> str:
    """A line for each group and for each run that is not ranked, under one heading."""
    lines = [line for table in tables for line in _records(table)]
    lines += [{"state": a.state, "path": str(a.path), "reason": a.reason} for a in apart]
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(plain(lines))
    return file.getvalue().rstrip("\n")


def _records(table: Table) -> Iterator[dict[str, Any]]:
    for place, group in enumerate(table.groups, 1):
        line = {"state": "done", "experiment": table.experiment, "data": table.data}
        line |= {"metric": table.metric, "place": place, "runs": len(group.runs)}
        for name in sorted({name for run in group.runs for name in run.figures}):
            spread = group.figure(name)
            line |= {name: spread.mean, f"{name} deviation": spread.deviation}
        line |= {name: group.cost(name) for name in ("seconds", "steps", "parameters")}
        line |= {name: facts(group, name) for name in ("precision", "device", "commit")}
        for name in table.columns:
            value = group.settings.get(name)
            line[name] = value if isinstance(value, int | float) else _setting(group, name)
        for name in table.over:
            line[name] = " ".join(spell(run.settings.get(name)) for run in group.runs)
        yield line | {"path": " ".join(shlex.quote(str(run.path)) for run in group.runs)}


def as_json(tables: Sequence[Table], apart: Sequence[Apart]) -> str:
    """All of it."""
    content = {
        "tables": [_table(table) for table in tables],
        "apart": [
            {"state": a.state, "path": str(a.path), "reason": a.reason}
            | {"command": spelled(shlex.join(a.command)) or None}
            for a in apart
        ],
    }
    return json.dumps(plain(content), indent=1)


def _table(table: Table) -> dict[str, Any]:
    best = table.groups[0].runs[0]
    return {
        "experiment": table.experiment,
        "data": table.data,
        "metric": table.metric,
        "larger_is_better": table.larger,
        "averaged_over": list(table.over),
        "constant": table.constant,
        "repeats_left_out": table.repeats,
        "other_data": [str(run.path) for run in table.changed or ()],
        "command": repeat_all(table.groups[0], table.over),
        "best": {"path": str(best.path), "command": repeat(best)},
        "groups": [_group(place, group, table) for place, group in enumerate(table.groups, 1)],
    }


def _group(place: int, group: Group, table: Table) -> dict[str, Any]:
    names = sorted({name for run in group.runs for name in run.figures})
    spreads = {name: group.figure(name) for name in names}
    kept = ("seed", "steps", "parameters", "seconds", "rate", "precision", "device", "commit")
    experiment = {"experiment": group.runs[0].experiment}
    return {
        "place": place,
        "settings": {name: (experiment | group.settings).get(name) for name in table.columns},
        "figures": {n: {"mean": s.mean, "deviation": s.deviation} for n, s in spreads.items()},
        "runs": [
            {"path": str(run.path), "figures": run.figures}
            | {name: run.result.get(name) for name in kept}
            | {name: run.settings.get(name) for name in table.over}
            for run in group.runs
        ],
    }


def plain(value: Any) -> Any:
    """As strict JSON: no number that is none."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
