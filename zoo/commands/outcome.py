"""The outcome of an evaluation as tables."""

from typing import Any

from zoo.terminal import columns, terminal_width
from zoo.text_table import text_table

CONFUSION_UP_TO = 20  # classes
CLASSES_UP_TO = 50
BAR = 20  # characters of the most important column


def describe(outcome: dict[str, Any]) -> str:
    """The outcome as tables."""
    details = outcome["details"]
    metrics = {
        n: value for n, value in outcome["metrics"].items() if "/" not in n
    }  # of all targets
    parts = [
        f"run         {outcome['run']}\n"
        f"checkpoint  {outcome['checkpoint']}\n"
        f"data        {outcome['data']}, split {outcome['split']}: {outcome['samples']:,} samples",
        _metrics(outcome["split"], metrics, outcome.get("baseline")),
    ]
    if targets := details.get("targets"):
        parts.append(_targets(targets))
    if classes := details.get("classes"):
        parts.append(_classes(classes, "class"))
    if labels := details.get("labels"):
        parts.append(_classes(labels, "label"))
    if (confusion := details.get("confusion")) and len(confusion) <= CONFUSION_UP_TO:
        parts.append(_confusion(confusion, list(details["classes"])))
    if judged := details.get("judged"):
        parts.append(_judged(judged))
    if prompts := details.get("prompts"):
        body = [
            (text, f"{row['images']:,}", f"{row['right']:.1%}") for text, row in prompts.items()
        ]
        parts.append(text_table([("prompt", "images", "right"), *body]))
    if importance := outcome.get("importance"):
        parts.append(_importance(importance))
    return "\n\n".join(parts)


def _judged(columns: dict[str, dict[str, float]]) -> str:
    """A row per figure of what a model drew, beside real images and class-wise Gaussians."""
    from zoo.judge.verdict import ROWS
    from zoo.training.console import show

    rows: list[tuple[str, ...]] = [("judged by a support vector machine", *columns)]
    for name, text in ROWS.items():
        if any(name in column for column in columns.values()):
            whole = name == "images"
            cells = [
                (f"{c[name]:,.0f}" if whole else show(c[name])) if name in c else ""
                for c in columns.values()
            ]
            rows.append((text, *cells))
    return text_table(rows)


def _importance(found: dict[str, Any]) -> str:
    """A row per column, the most important first."""
    from zoo.training.console import show

    rows = found["columns"]
    largest = max((row["mean"] for row in rows.values()), default=0.0)
    body = [
        (
            name,
            show(row["mean"]),
            show(row["deviation"]),
            "#" * round(BAR * max(0.0, row["mean"]) / largest) if largest > 0 else "",
        )
        for name, row in rows.items()
    ]
    change = "rise" if found["metric"] == "loss" else "drop"
    table = text_table([("column", f"{change} of {found['metric']}", "deviation", ""), *body])
    notes = [f"each column shuffled {found['repeats']} times; about 0: the model does without it"]
    if pairs := found["alike"]:
        listed = "; ".join(" and ".join(pair) for pair in pairs[:3]) + "; ..." * (len(pairs) > 3)
        notes.append(
            f"correlated columns share their importance, each has less than both: {listed}"
        )
    return "\n".join([table, *(f"({note})" for note in notes)])


def _metrics(split: str, metrics: dict[str, float], baseline: dict[str, Any] | None) -> str:
    """A row per metric, with what the trivial answer reaches beside it."""
    from zoo.training.console import show

    trivial = baseline["metrics"] if baseline else {}
    cells = [
        (n, show(v), show(trivial[n]) if trivial.get(n) is not None else "")
        for n, v in metrics.items()
    ]
    rows = [("", split, baseline["name"] if baseline else ""), *cells]
    return text_table(rows if baseline else [row[:2] for row in rows])


def _targets(targets: dict[str, dict[str, float]]) -> str:
    """A row per target of several."""
    from zoo.training.console import show

    first, *_ = targets.values()
    body = [(name, *map(show, row.values())) for name, row in targets.items()]
    return text_table([("target", *first), *body])


def _classes(classes: dict[str, dict[str, float | None]], kind: str) -> str:
    """A row per class or label; of very many, those of the lowest F1."""
    from zoo.training.console import show

    rows = list(classes.items())
    note = ""
    if len(rows) > CLASSES_UP_TO:
        rows = sorted(rows, key=lambda row: row[1]["f1"] or 0.0)[:CLASSES_UP_TO]
        note = f"\n(the {CLASSES_UP_TO} of {len(classes)} classes with the lowest f1)"
    heading = (kind, *(name.replace("_", " ") for name in rows[0][1]))
    body = [
        (name, *(f"{v:,}" if isinstance(v, int) else show(v or 0.0) for v in row.values()))
        for name, row in rows
    ]
    return text_table([heading, *body]) + note


def _confusion(confusion: list[list[int]], names: list[str]) -> str:
    """Counts, true classes down, predicted across; names cut to what fits the terminal."""
    counts = max(len(f"{count:,}") for row in confusion for count in row)
    longest = max(map(columns, names))
    first = min(longest, 20)
    cell = min(max(counts, longest), (terminal_width() - first) // len(names) - 2)
    if cell < counts:
        return "(the confusion matrix is too wide for this terminal; see json=true)"
    heading = ["", *(_beginning(name, cell) for name in names)]
    rows = [
        [_beginning(name, first), *(f"{count:,}" if count else "." for count in row)]
        for name, row in zip(names, confusion, strict=True)
    ]
    return "true \\ predicted\n" + text_table([heading, *rows])


def _beginning(name: str, width: int) -> str:
    """What of a name fits so many columns: an ellipsis would take one of the few."""
    while columns(name) > width:
        name = name[:-1]
    return name
