"""The report of a sweep, or of any folder of runs: what `compare` says, to look at and to send."""

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from urllib.parse import quote

from zoo.compare.command import repeat_all
from zoo.compare.explain import won_because
from zoo.compare.formats import counterpart, figure, rows_of
from zoo.compare.judge import judge
from zoo.compare.plots import MAX_COLORED, MAX_GREY, group_curves, label
from zoo.compare.wording import decide_command, sentences
from zoo.phrases import plural
from zoo.program import spelled
from zoo.report import chart, page
from zoo.report.html import Html, element, join, scrolling
from zoo.report.parallel import parallel
from zoo.report.private import Names
from zoo.report.series import Series
from zoo.runs.rank import Group, Table, rank
from zoo.runs.records import UnrankedRun, read_runs
from zoo.training.console import duration

MAX_LINES = 500  # of a ranking
MAX_UNRANKED = 100


def render(folder: Path) -> str:
    """The page of a folder of runs.

    Raises:
        UserError: It holds no run.
    """
    done, unranked = read_runs([folder])
    tables, lacking = rank(done)
    unranked += lacking
    names = Names.of(folder)
    sections: list[page.Section] = []
    content: dict[str, Any] = {}
    for number, table in enumerate(tables):
        of_table, data = _table(table, folder, names, number if len(tables) > 1 else None)
        sections += of_table
        content |= data
    sections.append(page.Section("others", "Not ranked", _others(unranked, folder, names)))
    sections.append(page.Section("repeat", "How to repeat it", _repeat(tables, folder, names)))
    title = folder.resolve().parent.name
    header = _header(title, tables, unranked)
    footer = element("p", "Made from the files of the runs in ", element("code", names.of_folder),
                     " by ", element("code", spelled("python scripts/report.py")), ". This file is "
                     "complete in itself: it loads nothing and sends nothing. Links lead to the "
                     "runs' own reports in the same folder.")  # fmt: skip
    return page.fitted(f"{title}: sweep report", header, sections, content, footer)


def _header(title: str, tables: Sequence[Table], unranked: Sequence[UnrankedRun]) -> Html:
    runs = [run for table in tables for run in table.runs]
    failed = sum(run.state == "failed" for run in unranked)
    words = [f"{plural(len(runs), 'run')} ranked"] + [f"{len(unranked):,} not"] * bool(unranked)
    seconds = [s for run in runs if isinstance(s := run.result.get("seconds"), int | float)]
    words += [f"{duration(sum(seconds))} of training"] if seconds else []
    status = element("span", f"{failed} failed" if failed else "finished",
                     class_=f"badge {'failed' if failed else 'done'}")  # fmt: skip
    badge = status if tables and (failed or not unranked) else ""
    parts = [
        element("p", "Sweep report", class_="kind"),
        element("h1", title, " ", badge),
        element("p", " · ".join(words), class_="summary"),
    ]
    if len(tables) == 1:
        parts.append(_tiles(tables[0]))
    return join(parts)


def _tiles(table: Table) -> Html:
    best = table.groups[0]
    split, _, metric = table.metric.partition("/")
    other = counterpart(table.metric)
    name = metric.replace("_", " ")
    titles = {"val": "validation", "test": "test"}
    runs = len(best.runs)
    of = f"mean ± deviation of {runs} runs" if runs > 1 else "one run"
    note = "none is finite" if math.isnan(best.score.mean) else of
    shown = [page.tile(f"best {titles[split]} {name}", figure(best.score, runs), note)]
    if not math.isnan(best.figure(other).mean):
        note = "of the same runs" if runs > 1 else "of the same run"
        other_name = other.partition("/")[0]
        shown.append(
            page.tile(f"its {titles[other_name]} {name}", figure(best.figure(other), runs), note)
        )
    shown.append(
        page.tile("combinations", f"{len(table.groups):,}", plural(len(table.runs), "run"))
    )
    return page.tiles(shown)


def _table(
    table: Table, folder: Path, names: Names, number: int | None
) -> tuple[list[page.Section], dict[str, Any]]:
    """The sections of a table, and what the script needs for them."""
    end = "" if number is None else f"-{number}"
    of = "" if number is None else f": {table.title}"
    curves, content = _curves(table, end)
    lines, settings = parallel(table, f"parallel{end}")
    sections = [
        page.Section(
            f"results{end}",
            f"Ranking{of}",
            join([_said(table, names), _ranking(table, folder, end)]),
        ),
        page.Section(f"settings{end}", f"Settings and results{of}", lines),
        page.Section(f"curves{end}", f"Learning curves{of}", curves),
    ]
    return sections, content | settings


def _said(table: Table, names: Names) -> Html:
    """The decision of the judge, and why the first line won."""
    verdict = judge(table)
    parts = [element("p", text[:1].upper() + text[1:]) for text in sentences(verdict)]
    parts += [element("p", text) for text in won_because(table, verdict)]
    if table.changed:
        parts.append(element("p", "Runs with equal settings have other data.", class_="note warn"))
    if table.repeats:
        text = f"Left out: {plural(table.repeats, 'older run')} with the same settings and seed."
        parts.append(element("p", text, class_="note"))
    said = element("div", *parts, class_="verdict") if parts else Html("")
    if command := decide_command(verdict):
        said = join([said, element("p", "More seeds for both would be trained by", class_="note"),
                     page.command(names.hidden(command), "The command that decides")])  # fmt: skip
    return said


# ----------------------------------------------------------------------------- ranking


def _ranking(table: Table, folder: Path, end: str) -> Html:
    heading, *rows = rows_of(table)
    better = "larger" if table.larger else "smaller"
    caption = f"{table.title}, by {table.metric}: {better} is better"
    head = [
        element("th", element("button", name or "place", type="button", class_="sort"),
                scope="col", aria_sort="ascending" if not k else "none")
        for k, name in enumerate(heading)
    ]  # fmt: skip
    head.append(element("th", "report", scope="col"))
    body = [
        _line(row, heading, group, table, folder)
        for row, group in list(zip(rows, table.groups, strict=True))[:MAX_LINES]
    ]
    inner = element("table", element("caption", caption), element("thead", element("tr", *head)),
                    element("tbody", *body), class_="sortable", id=f"ranking{end}")  # fmt: skip
    note = f"By {table.metric}: {better} is better. Columns are sorted by their headings."
    if len(rows) > MAX_LINES:
        note += f" The first {MAX_LINES} of {len(rows):,} lines are shown."
    return join([scrolling(inner, caption), element("p", note, class_="note")])


def _line(
    row: tuple[str, ...], heading: tuple[str, ...], group: Group, table: Table, folder: Path
) -> Html:
    exact = {name: group.figure(name).mean for name in (table.metric, *group.runs[0].metrics)}
    exact["time"] = group.cost("seconds")
    cells = [element("th", row[0], scope="row", data_value=row[0])]
    for name, cell in zip(heading[1:], row[1:], strict=True):
        value = exact.get(name, cell)
        if isinstance(value, float):
            value = "" if math.isnan(value) else repr(value)
        cells.append(element("td", cell, data_value=value))
    links = [
        _link(run.path, _seeds(run.settings, table.over) or "report", folder) for run in group.runs
    ]
    cells.append(element("td", join(links, " "), class_="links"))
    return element("tr", *cells, data_line=int(row[0]) - 1)


def _seeds(settings: dict[str, Any], over: tuple[str, ...]) -> str:
    return ", ".join(f"{name.rpartition('.')[2]} {settings.get(name)}" for name in over)


def _link(run: Path, text: str, folder: Path) -> Html:
    """To a run's own report, if it has one."""
    target = Path(os.path.relpath(run, folder)) / page.FILE
    if not (run / page.FILE).is_file():
        return element("span", text)
    return element("a", text, href=quote(f"./{target.as_posix()}"))


# ------------------------------------------------------------------------------ curves


def _curves(table: Table, end: str) -> tuple[Html, dict[str, Any]]:
    """Training and validation: the best lines in color with a band, others in grey."""
    name = table.metric.partition("/")[2]
    parts, content = [], {}
    for split, title in (("train", "training"), ("val", "validation")):
        lines = []
        for place, group in enumerate(table.groups[: MAX_COLORED + MAX_GREY], 1):
            curves = group_curves(group, f"{split}/{name}")
            if curves:
                lines.append(_mean(f"{place}", place, curves))
        if not any(line.values for line in lines):
            continue
        id_ = f"{split}{end}"
        drawn = chart.draw(id_, f"{title} {name.replace('_', ' ')}", lines[::-1], None, "")
        parts.append(drawn.html)
        content[id_] = drawn.data | {"series": drawn.data["series"][::-1]}
    if not parts:
        return Html(""), {}
    entries = [
        element(
            "li", element("i", class_=f"swatch s{place}"), " ".join(label(place, g, table).split())
        )
        for place, g in enumerate(table.groups[:MAX_COLORED], 1)
    ]
    rest = len(table.groups) - MAX_COLORED
    if rest > 0:
        shown = min(rest, MAX_GREY)
        entries.append(
            element("li", element("i", class_="swatch"), f"{shown} of the {rest:,} others")
        )
    legend = element(
        "div", element("h3", "Lines of the ranking"), element("ul", *entries, class_="lines")
    )
    note = (
        "Means over runs with equal settings; bands are one standard deviation wide on each side."
    )
    several = any(len(group.runs) > 1 for group in table.groups)
    about = element("p", note, class_="note") if several else Html("")
    return join([element("div", *parts, legend, class_="charts"), about]), content


def _mean(name: str, place: int, curves: Sequence[dict[int, float]]) -> Series:
    """The mean over runs at their common steps, with one standard deviation around it."""
    steps = sorted(set.intersection(*map(set, curves)))
    columns = {step: [curve[step] for curve in curves] for step in steps}
    points = [(step, fmean(values)) for step, values in columns.items()]
    colored = place <= MAX_COLORED
    band = []
    if colored and len(curves) > 1:
        for step, values in columns.items():
            if all(map(math.isfinite, values)):
                mean, deviation = fmean(values), stdev(values)
                band.append((step, mean - deviation, mean + deviation))
    return Series(name, points, f"s{place}" if colored else "rest", band)


# ------------------------------------------------------------------- the rest of a sweep


def _others(unranked: Sequence[UnrankedRun], folder: Path, names: Names) -> Html:
    """Runs that failed, were pruned or have not ended, and why."""
    if not unranked:
        return Html("")
    rows = [
        element("tr", element("th", os.path.relpath(run.path, folder), scope="row"),
                element("td", run.state), element("td", names.hidden(run.reason)[:400]))
        for run in unranked[:MAX_UNRANKED]
    ]  # fmt: skip
    head = element("tr", *(element("th", name, scope="col") for name in ("run", "state", "why")))
    inner = element("table", element("caption", "Not ranked"), element("thead", head),
                    element("tbody", *rows), class_="wide")  # fmt: skip
    more = len(unranked) - MAX_UNRANKED
    note = element("p", f"{more:,} more are not shown.", class_="note") if more > 0 else ""
    return join([scrolling(inner, "Runs that are not ranked"), note])


def _repeat(tables: Sequence[Table], folder: Path, names: Names) -> Html:
    parts = []
    try:
        command = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        command = None
    if isinstance(command, str):
        parts += [
            element("h3", "The whole sweep"),
            page.command(names.hidden(command), "The sweep"),
        ]
    for table in tables:
        title = "The best line" if len(tables) == 1 else f"The best of {table.title}"
        line = names.hidden(repeat_all(table.groups[0], table.over))
        parts += [element("h3", title), page.command(line, title)]
    return join(parts)
