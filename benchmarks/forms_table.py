"""The tables of benchmarks/forms.py in docs/language.md."""

import statistics
import textwrap
from collections.abc import Mapping
from typing import Any

BEGIN, END = "<!-- forms: python scripts/benchmark.py forms -->", "<!-- end of forms -->"
BASE = "llama"  # the form that others are compared with
SPEED_NOTE = (
    "Processor time of one core, one text, fp32, random weights; the tokens before are read. "
    "GPT-2 and Llama have a lean decoding step (zoo/inference/decode.py), with experts for their "
    "attention; MLA, Mamba and the LSTM are called as modules."
)
HEADER = """\
| form | parameters | of them for a token | MFLOP a token | {unit} (seeds) | \
less Llama's (seeds) | rate | bytes a token |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


TITLES = {
    "shakespeare": "Characters of Shakespeare, 64 at once:",
    "stdlib": "The standard library's source, 256 tokens of some three characters at once, and "
    "models of six times the size. The documents of the validation split follow the seed:",
}


def with_tables(
    page: str, content: Mapping[str, Any], labels: Mapping[str, str], units: Mapping[str, str]
) -> str:
    """A page with its tables replaced.

    Args:
        page: Has the lines BEGIN and END around them.
        content: Figures by text and form.
        labels: What the forms are called.
        units: Of the losses, by text.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"the lines '{BEGIN}' and '{END}' are missing"
    return f"{before}{BEGIN}\n{tables(content, labels, units)}{END}{after}"


def tables(content: Mapping[str, Any], labels: Mapping[str, str], units: Mapping[str, str]) -> str:
    """Cost and loss of each form on each text; its speed by the length of the text."""
    measured = [text for text in units if any(row.get("loss") for row in content[text].values())]
    parts = [
        f"{wrapped(TITLES[text])}\n{_losses(content[text], labels, units[text])}"
        for text in measured
    ]
    parts += [_speeds(rows, labels) for rows in content.values() if "speed" in rows[BASE]]
    return "".join(parts) + wrapped(SPEED_NOTE)


def _losses(rows: Mapping[str, Any], labels: Mapping[str, str], unit: str) -> str:
    losses = {name: rows[name].get("loss", {}) for name in labels}
    common = set.intersection(*map(set, filter(None, losses.values())))
    lines = [
        _line(label, rows[name], losses[name], losses[BASE], common)
        for name, label in labels.items()
    ]
    return HEADER.format(unit=unit) + "".join(lines) + note(rows, unit)


def _speeds(rows: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    lengths = rows[BASE]["speed"]
    head = " | ".join(f"{int(length):,}" for length in lengths)
    speeds = [
        f"| {label} | {' | '.join(f'{v:,.0f}' for v in rows[name]['speed'].values())} |\n"
        for name, label in labels.items()
    ]
    title = f"\n| tokens a second, after | {head} |\n|---|{'---:|' * len(lengths)}\n"
    return title + "".join(speeds)


def note(rows: Mapping[str, Any], unit: str) -> str:
    """How the losses were measured, and how busy the least busy expert is."""
    tried = sorted({float(rate) for row in rows.values() for rate in row.get("tried", ())})
    rates = ", ".join(map(str, tried))
    how = "of which each form has its best" if len(tried) > 1 else "a single one"
    text = (
        f"Validation loss in {unit}, mean ± standard deviation over the seeds that all forms have; "
        "less Llama's with the same seeds, ± standard error. Rates of Muon that were tried with "
        f"the first seed, {how}: {rates}."
    )
    for row in rows.values():
        if least := row.get("least_expert", {}).values():
            text += (
                f" The least busy expert has {statistics.fmean(least):.2f} of its fair share "
                f"({min(least):.2f} to {max(least):.2f})."
            )
    return wrapped(text)


def wrapped(text: str) -> str:
    """A paragraph of its own."""
    return f"\n{textwrap.fill(text, 110)}\n"


def _line(
    label: str,
    row: Mapping[str, Any],
    losses: Mapping[str, float],
    base: Mapping[str, float],
    common: set[str],
) -> str:
    """A row of the table: the mean loss over the seeds that all forms have."""
    cache, shared = row["cache"], [losses[seed] for seed in sorted(common & losses.keys())]
    size = f"{cache['token']:,}" if cache["token"] else f"0; {cache['fixed']:,} in all"
    cells = [
        label,
        f"{row['parameters']:,}",
        f"{row['active']:,}",
        f"{row['flops'] / 1e6:.2f}",
        f"{_mean(shared)} ({len(shared)})" if shared else "–",
        "–" if losses == base else difference(losses, base),
        f"{row.get('rate', '–')}",
        size,
    ]
    return f"| {' | '.join(cells)} |\n"


def _mean(values: list[float], sign: str = "", by: int = 1) -> str:
    """The mean; where there are several, their standard deviation over the root of `by`."""
    mean = f"{statistics.fmean(values):{sign}.3f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values) / by**0.5:.3f}"


def difference(losses: Mapping[str, float], base: Mapping[str, float]) -> str:
    """The mean difference of the same seeds, its standard error, and how many they are."""
    pairs = [loss - base[seed] for seed, loss in losses.items() if seed in base]
    return f"{_mean(pairs, '+', len(pairs))} ({len(pairs)})" if pairs else "–"
