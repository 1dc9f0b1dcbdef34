"""A comparison as text and Markdown."""

import math
import shlex
from collections.abc import Sequence
from typing import Any

from zoo.compare.baseline import unbeaten
from zoo.compare.command import repeat_all
from zoo.compare.explain import won_because
from zoo.compare.judge import judge
from zoo.compare.wording import decide_command, sentences
from zoo.phrases import plural
from zoo.program import spelled
from zoo.runs.rank import OF_WEIGHTS, TOKENIZER, Group, Spread, Table
from zoo.runs.records import UnrankedRun
from zoo.runs.settings import ABSENT, format_value, short_names
from zoo.terminal import columns, command_lines, cut_middle, folded, terminal_width
from zoo.text_table import GAP, text_table
from zoo.training.console import duration, show

MAX_CELL = 28  # columns of a cell on a terminal
MAX_LINES = 40  # of a table on a terminal
FACTS = ("steps", "parameters", "precision", "device", "commit")  # of result.json, if they differ
COMMIT_LENGTH = 9
PER_BYTE = "val/bits_per_byte"  # the same unit whatever the tokenizer
Rows = list[tuple[str, ...]]


def figure(spread: Spread, runs: int) -> str:
    """`0.9850 ± 0.0123`; the mean alone for a single run."""
    if math.isnan(spread.mean):
        return "nan"
    mean = show(spread.mean)
    if runs < 2:
        return mean
    if "e" in mean:
        return f"{mean} ± {spread.deviation:.3g}"
    return f"{mean} ± {spread.deviation:,.{len(mean.partition('.')[2])}f}"


def counterpart(metric: str) -> str:
    """The same metric of the other split."""
    split, _, name = metric.partition("/")
    return f"{'test' if split == 'val' else 'val'}/{name}"


def facts(group: Group, name: str) -> str:
    """A fact of a group's runs: `bf16, fp32`."""
    return ", ".join(sorted({format_fact(name, run.result.get(name)) for run in group.runs}))


def format_fact(name: str, value: Any) -> str:
    """A fact of result.json for a table."""
    if value is None:
        return ABSENT
    if name == "commit":
        return str(value)[:COMMIT_LENGTH] + "-dirty" * str(value).endswith("-dirty")
    return f"{value:,}" if isinstance(value, int) else str(value)


def rows_of(table: Table) -> Rows:
    """A heading and a line for each group, the most important columns first."""
    other, groups = counterpart(table.metric), table.groups
    names = short_names(table.columns, ("runs", "time", table.metric, other, *FACTS))
    shown = {name.removeprefix("trainer.") for name in table.columns}  # the precision, perhaps
    extra = [name for name in FACTS if name not in shown]
    extra = [name for name in extra if len({facts(group, name) for group in groups}) > 1]
    with_other = any(not math.isnan(group.figure(other).mean) for group in groups)
    heading = ["", table.metric, *["runs"] * bool(table.over), *names.values()]
    rows = [(*heading, *[other] * with_other, "time", *extra)]
    for rank, group in enumerate(groups, 1):
        runs = len(group.runs)
        cells = [str(rank), figure(group.score, runs), *[str(runs)] * bool(table.over)]
        cells += [setting(group, name) for name in table.columns]
        cells += [figure(group.figure(other), runs)] * with_other
        cells += [_time(group.cost("seconds")), *(facts(group, name) for name in extra)]
        rows.append(tuple(cells))
    return rows


def _time(seconds: float) -> str:
    return ABSENT if math.isnan(seconds) else duration(seconds)


def setting(group: Group, name: str) -> str:
    """A setting of a group's first run for a table."""
    if name == "experiment":
        return group.runs[0].experiment or ABSENT
    value = group.settings.get(name, ABSENT)
    return f"{value:.4g}" if isinstance(value, float) else format_value(value)


def text(
    tables: Sequence[Table],
    unranked: Sequence[UnrankedRun],
    fit: bool,
    margin: float | None = None,
) -> str:
    """Plain text.

    Args:
        tables: Ranked runs.
        unranked: The others.
        fit: Fit the terminal's width; otherwise nothing is left out.
        margin: Differences below it count as none; see judge.
    """
    blocks = [_block(table, fit, margin) for table in tables]
    if any(
        text.startswith((*TOKENIZER, OF_WEIGHTS)) for table in tables for text in table.measured
    ):
        note = "note: losses and accuracies of different tokenizers cannot be compared"
        if any(PER_BYTE in run.metrics for table in tables for run in table.runs):
            note += f"; --metric {PER_BYTE} compares them"
        blocks.append(folded(note, _width(fit)))
    if unranked:
        blocks.append(_unranked_block(unranked, fit))
    return "\n\n".join(blocks)


def _block(table: Table, fit: bool, margin: float | None) -> str:
    better = "larger" if table.larger else "smaller"
    count = plural(len(table.runs), "run")
    lines = [f"{table.title}, by {table.metric} ({better} is better): {count}", ""]
    rows = rows_of(table)
    notes: list[str] = []
    if fit:
        rows, notes = fitted(rows, terminal_width())
    lines += [text_table(rows, None if fit else 10**6), *notes]
    if worst := unbeaten(table):
        lines += _labelled("baseline", [worst], fit)
    lines += _judged(table, fit, margin)
    if table.changed:
        first, second = table.changed
        lines.append(f"warning: equal settings, other data: {first.path} and {second.path}")
    if table.repeats:
        lines.append(
            f"{plural(table.repeats, 'run')} left out: a newer one has the same settings and "
            f"seed (--group-by none shows all)"
        )
    best = table.groups[0]
    if table.constant:
        same = " ".join(f"{name}={format_value(value)}" for name, value in table.constant.items())
        lines.append(f"all runs  {same}")
    if math.isnan(best.score.mean):
        return "\n".join([*lines, f"best      none: no {table.metric} is finite"])
    lines.append(f"best      {best.runs[0].path}" + _more(best))
    lines.append(command_lines("repeat    ", repeat_all(best, table.over), _width(fit)))
    return "\n".join(lines)


def _judged(table: Table, fit: bool, margin: float | None) -> list[str]:
    """What the runs show, why the first won, and the command that goes on."""
    verdict = judge(table, margin)
    lines = _labelled("verdict", sentences(verdict), fit)
    lines += _labelled("because", won_because(table, verdict), fit)
    command = decide_command(verdict)
    return lines + [command_lines("decide    ", command, _width(fit))] if command else lines


def _labelled(label: str, texts: Sequence[str], fit: bool) -> list[str]:
    """Sentences behind a label; wrapped on a terminal."""
    indent = " " * 10
    labels = [f"{label:10}", *[indent] * len(texts)]
    return [folded(t, _width(fit), first, indent) for first, t in zip(labels, texts, strict=False)]


def _width(fit: bool) -> int | None:
    return terminal_width() - 1 if fit else None


def _more(group: Group) -> str:
    return f" and {len(group.runs) - 1:,} more" if len(group.runs) > 1 else ""


def fitted(rows: Rows, width: int) -> tuple[Rows, list[str]]:
    """Rows that fit the width, and notes on what was left out: columns at the right, lines."""
    notes = []
    if len(rows) > MAX_LINES + 1:
        notes.append(f"... {len(rows) - 1 - MAX_LINES:,} more lines (--csv has all)")
        rows = rows[: MAX_LINES + 1]
    rows = [tuple(cut_middle(cell, MAX_CELL) for cell in row) for row in rows]
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    shown = len(widths)
    while shown > 3 and sum(widths[:shown]) + GAP * (shown - 1) > width:
        shown -= 1
    if hidden := rows[0][shown:]:
        more, names = plural(len(hidden), "more column"), ", ".join(hidden)
        note = f"... {more}: {names} (a wider terminal, or --csv)"
        notes.append(folded(note, width - 1, indent="    "))
    return [row[:shown] for row in rows], notes


def _unranked_block(unranked: Sequence[UnrankedRun], fit: bool) -> str:
    """A line for each run; paths are not wrapped, so that they can be copied."""
    shown = unranked[:MAX_LINES] if fit else unranked
    width = max(len(run.state) for run in shown)
    lines = ["not ranked", *(f"{r.state.ljust(width)}  {r.path}: {r.reason}" for r in shown)]
    if hidden := len(unranked) - len(shown):
        lines.append(f"... {hidden:,} more (--csv has all)")
    commands = dict.fromkeys(spelled(shlex.join(run.command)) for run in unranked if run.command)
    return "\n".join(lines + [command_lines("resume    ", c, _width(fit)) for c in commands])


def markdown(
    tables: Sequence[Table], unranked: Sequence[UnrankedRun], margin: float | None = None
) -> str:
    """Markdown tables."""
    blocks = []
    for table in tables:
        heading, *rows = rows_of(table)
        better = "larger" if table.larger else "smaller"
        command = repeat_all(table.groups[0], table.over)
        verdict = judge(table, margin)
        said = [*sentences(verdict), *won_because(table, verdict)]
        notes = "\n".join(f"- {sentence}" for sentence in said)
        blocks.append(
            f"**{table.title}**, by `{table.metric}` ({better} is better)\n\n"
            f"{_grid([heading, *rows])}\n\n{notes}\n\n```bash\n{command}\n```"
        )
    if unranked:
        rows = [("not ranked", "run", "reason")]
        blocks.append(_grid([*rows, *((r.state, str(r.path), r.reason) for r in unranked)]))
    return "\n\n".join(blocks)


def _grid(rows: Sequence[Sequence[str]]) -> str:
    heading, *rest = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    rule = "|".join(["---"] * len(rows[0]))
    return "\n".join([f"| {heading} |", f"|{rule}|", *(f"| {row} |" for row in rest)])
