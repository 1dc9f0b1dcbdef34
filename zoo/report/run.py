"""The report of one run, from the files in its folder."""

import shlex
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.program import spelled
from zoo.report import chart, page, pictures, series
from zoo.report.html import Html, element, join, table
from zoo.report.private import Names
from zoo.report.results import headline, results
from zoo.report.settings import ORDER, settings
from zoo.runs.directory import RunDirectory
from zoo.runs.records import Record
from zoo.runs.settings import ABSENT
from zoo.training.console import duration

HIDDEN = ("lr", "grad_norm")  # drawn after the metrics
TITLES = {"lr": "learning rate", "grad_norm": "gradient norm"}
SPLITS = {"train": "training", "val": "validation", "test": "test"}
MAX_CHARTS = 24
MAX_REMARKS = 40
MAX_REASON = 2000  # characters of why a run ended
STATUS = {"done": "finished", "failed": "failed", "interrupted": "interrupted", "pruned": "pruned",
          "unfinished": "unfinished"}  # fmt: skip
REMARKS = ("warning: ", "note ")  # how such lines of train.log begin


def render(folder: Path) -> str:
    """The page of a run.

    Raises:
        UserError: A file that makes it a run cannot be read.
    """
    run = Record.read(folder)
    names = Names.of(folder)
    charts, data, note = _curves(run)
    found, texts = pictures.latest(folder / "previews")
    sections = [
        page.Section("results", "Results", results(run)),
        page.Section("curves", "Curves", join([charts, note])),
        page.Section("pictures", "Pictures", Html("")),
        page.Section("samples", "Samples", pictures.samples(texts) if texts else Html("")),
        page.Section("repeat", "How to repeat it", _repeat(run, names)),
        page.Section("settings", "Settings", _settings(run)),
        page.Section("environment", "Environment", _environment(run)),
        page.Section("remarks", "Warnings and notes", _remarks(folder, names)),
    ]
    title = f"{run.experiment or run.result.get('name') or folder.name}: run report"
    parts = title, _header(run, names), sections, data, _footer(folder)
    if found:
        shown = pictures.gallery(found, page.MAX_BYTES - 20_000 - page.size(page.fitted(*parts)))
        sections[2] = page.Section("pictures", "Pictures", shown)
    return page.fitted(*parts)


def _header(run: Record, names: Names) -> Html:
    """What was trained, how it ended, and the figures that matter."""
    result, settings = run.result, run.settings
    words = [f"{settings.get('model.name')} on {run.data}"]
    if steps := result.get("steps"):
        epochs = result.get("epochs")
        passes = f" ({epochs:,.4g} epochs)" if isinstance(epochs, int | float) else ""
        words.append(f"{steps:,} steps{passes}")
    if seconds := result.get("seconds"):
        words.append(f"{duration(seconds)} of training")
    reason = names.hidden(str(result.get("reason") or ""))[:MAX_REASON]
    status = element("span", STATUS.get(run.status, run.status), class_=f"badge {run.status}")
    return join(
        [
            element("p", "Run report", class_="kind"),
            element("h1", run.experiment or str(result.get("name")), " ", status),
            element("p", " · ".join(words), class_="summary"),
            element("p", reason, class_="reason") if reason else "",
            headline(run),
        ]
    )


def _footer(folder: Path) -> Html:
    return element(
        "p", "Made from the files of the run ", element("code", folder.resolve().name), " by ",
        element("code", spelled("python scripts/report.py")), ". This file is complete in itself: "
        "it loads nothing and sends nothing.",
    )  # fmt: skip


# ------------------------------------------------------------------------------ curves


def _curves(run: Record) -> tuple[Html, dict[str, Any], Html]:
    """Charts, what the script needs for them, and what is missing."""
    file = run.path / "metrics.jsonl"
    if not file.is_file():
        return Html(""), {}, Html("")
    metrics, problem = series.read(file)
    best = (run.result.get("best") or {}).get("step")
    first = ["loss", run.monitor.lstrip("-")]
    order = [n for n in dict.fromkeys([*first, *metrics]) if n in metrics and n not in HIDDEN]
    order += [name for name in HIDDEN if name in metrics]
    parts, content = [], {}
    for number, name in enumerate(order[:MAX_CHARTS]):
        lines = [
            series.Series(SPLITS[split], metrics[name][split], split)
            for split in SPLITS
            if split in metrics[name]
        ]
        if not any(line.values for line in lines):
            continue
        is_scored = name not in HIDDEN and isinstance(best, int)
        drawn = chart.draw(f"chart{number}", TITLES.get(name, name.replace("_", " ")), lines,
                           best if is_scored else None)  # fmt: skip
        parts.append(drawn.html)
        content[f"chart{number}"] = drawn.data
    notes = []
    if best:
        notes.append(f"The dashed line marks step {best:,}: its weights are the best, and were "
                     "tested.")  # fmt: skip
    if len(order) > MAX_CHARTS:
        notes.append(f"{len(order) - MAX_CHARTS} further metrics are in metrics.jsonl.")
    if problem:
        notes.append("Not all could be read: metrics.jsonl is damaged.")
    charts = element("div", *parts, class_="charts") if parts else Html("")
    return charts, content, join(element("p", note, class_="note") for note in notes)


# ---------------------------------------------------------------------- how to repeat it


def _repeat(run: Record, names: Names) -> Html:
    result = run.result
    typed = [o for o in run.overrides if o.partition("=")[0] != "resume"]
    as_typed = str(result.get("command") or "")
    is_new = shlex.join(["train.py", *typed]) in as_typed
    if all(o.partition("=")[0] != "seed" for o in typed):
        typed.append(f"seed={run.settings.get('seed')}")
    line = spelled(shlex.join(["python", "train.py", *typed]))
    commit = str(result.get("commit") or "")
    changed = commit.endswith("-dirty")
    code: object = element("code", commit.removesuffix("-dirty")) if commit else "not recorded"
    if changed:
        code = join([code, " and changes that were not committed: they are not in the repository"])
    data = result.get("data") or {}
    rows = [
        ("code", code),
        ("seed", str(run.settings.get("seed"))),
        ("data", join([run.data, *([", SHA-256 ", element("code", data["sha256"])]
                                   if data.get("sha256") else [])])),
        ("started as", element("code", as_typed) if as_typed and not is_new else ""),
    ]  # fmt: skip
    return join(
        [page.command(names.hidden(line), "The command that repeats the run"), page.facts(rows)]
    )


def _settings(run: Record) -> Html:
    """Those that were changed; all of them folded."""
    found = settings(run)
    changed = [s for s in found if s.by in ORDER[:3]]
    parts = []
    if changed:
        rows = [[s.name, s.value, s.default or ABSENT, s.by] for s in changed]
        parts.append(table(["setting", "value", "default", "set by"], rows, "Changed settings"))
    else:
        parts.append(element("p", "All settings are the defaults."))
    rows = [[s.name, s.value, s.default or ABSENT] for s in sorted(found)]
    everything = table(["setting", "value", "default"], rows, "All settings")
    parts.append(element("details", element("summary", f"all {len(found)} settings"), everything))
    return join(parts)


def _environment(run: Record) -> Html:
    environment = dict(run.result.get("environment") or {})
    rows: list[tuple[str, object]] = [("precision", str(run.result.get("precision") or ""))]
    rows += [(name.replace("_", " "), str(value)) for name, value in environment.items()]
    kernels = run.result.get("kernels")
    if isinstance(kernels, dict) and kernels:
        rows.append(("kernels used", ", ".join(f"{k}: {v}" for k, v in kernels.items())))
    return page.facts(rows) if environment else Html("")


def _remarks(folder: Path, names: Names) -> Html:
    """Warnings and notes of train.log, each once."""
    try:
        text = (folder / "train.log").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Html("")
    lines = [line.strip() for line in text.splitlines() if line.startswith(REMARKS)]
    distinct = list(dict.fromkeys(lines))
    items = [element("li", names.hidden(line)[:1000]) for line in distinct[:MAX_REMARKS]]
    if len(distinct) > MAX_REMARKS:
        items.append(element("li", f"{len(distinct) - MAX_REMARKS} more in train.log"))
    return element("ul", *items, class_="remarks") if items else Html("")


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    try:
        RunDirectory.open(folder)
    except UserError:
        return False
    return True
