"""Runs as a comparison reads them: settings and results, and the runs that have no result."""

import contextlib
import functools
import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.renames import current_override
from zoo.runs.directory import RunDirectory, walk
from zoo.runs.overrides import split_lines
from zoo.runs.result import ended_at, read_result
from zoo.runs.settings import OF_SEED, identity, read_config

TAIL_BYTES = 4096  # at the end of metrics.jsonl: more than its last line


@dataclass(frozen=True)
class Record:
    """A run that was started.

    Attributes:
        path: Its folder.
        settings: By dotted name, with the seed, without those that do not affect the result.
        overrides: The command line.
        result: The content of result.json; empty if there is none.
        ended: When, in seconds since 1970.
    """

    path: Path
    settings: dict[str, Any]
    overrides: tuple[str, ...]
    result: dict[str, Any]
    ended: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a run directory.

        Raises:
            UserError: A file in it is broken.
        """
        config, settings = read_config(path / "config.yaml")
        file = path / "result.json"
        result = read_result(RunDirectory(path)) if file.is_file() else {}
        try:
            lines = split_lines((path / "overrides.txt").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            lines = []
        overrides = tuple(current_override(line) for line in lines if line)
        seed = config.get("seed")
        settings |= {"seed": seed}
        typed = {_key(override) for override in overrides}
        for name in OF_SEED:
            if name not in typed and settings.get(name) == seed:
                del settings[name]
        if settings.get("trainer.precision") == "auto":  # of older runs, which did not record it
            settings["trainer.precision"] = result.get("precision", "auto")
        names = {"experiment": config.get("experiment"), "name": config.get("name")}
        ended = ended_at(RunDirectory(path), result) if result else 0.0
        return cls(path, settings, overrides, names | result, ended)

    @property
    def experiment(self) -> str | None:
        """The name of its experiment, or None."""
        return self.result["experiment"]

    @property
    def data(self) -> str:
        """The dataset's name."""
        return str(self.settings.get("data.name"))

    @property
    def status(self) -> str:
        """`done`, `failed`, `interrupted`, `pruned`; `unfinished` if nothing says how it ended."""
        return self.result.get("status", "unfinished")

    @property
    def monitor(self) -> str:
        """The metric that selects the best step: `accuracy`, or `-loss` if lower is better."""
        return str(self.result.get("monitor", "-loss"))

    @functools.cached_property
    def metrics(self) -> dict[str, float]:
        """`val/<name>` at the best step and `test/<name>`, as far as the run has them."""
        validated = self.result.get("best") or self.result.get("val")
        rows = {"val": validated, "test": self.result.get("test")}
        return {
            f"{split}/{name}": math.nan if value is None else value  # null: it was not finite
            for split, row in rows.items()
            for name, value in (row or {}).items()
            if name != "step" and isinstance(value, int | float | None)
        }

    @property
    def typed(self) -> set[str]:
        """Names of the settings that the command line sets."""
        return {_key(override) for override in self.overrides}


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


@dataclass(frozen=True)
class UnrankedRun:
    """A run that is not ranked.

    Attributes:
        path: Its folder, or its sweep's.
        state: `failed`, `interrupted`, `unfinished`, `pruned`, `not begun`, `broken`, `overfit`,
            `without` the metric.
        reason: Why, in one line.
        command: Resumes or repeats it; empty if that is not possible.
    """

    path: Path
    state: str
    reason: str
    command: tuple[str, ...] = ()


def read_runs(folders: Iterable[Path]) -> tuple[list[Record], list[UnrankedRun]]:
    """All runs at or below the folders: the finished ones, and the others.

    Raises:
        UserError: A folder that does not exist, or no folder that holds a run.
    """
    done: list[Record] = []
    unranked: list[UnrankedRun] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            RunDirectory.open(folder, "folder")  # raises, and names the nearest
        for path, is_run in walk(folder):
            if (real := path.resolve()) in seen:
                continue
            seen.add(real)
            if is_run:
                _add(path, done, unranked)
            elif (path / "sweep.json").is_file():
                unranked += _not_started(path)
    if not done and not unranked:
        listed = ", ".join(map(str, folders))
        raise UserError(f"{listed}: there are no runs at or below it; train.py makes them")
    _keep_fixed(done)
    return done, _merge_pruned(unranked)


def _keep_fixed(runs: Sequence[Record]) -> None:
    """A split seed that a recipe fixes belongs to all its runs, also to the one whose seed is the
    same number: the runs of other seeds show that it does not follow."""

    def origin(run: Record, name: str, value: Any) -> tuple[Any, ...]:
        return run.experiment, run.data, name, identity(value)

    for name in OF_SEED:
        untyped = [run for run in runs if name not in run.typed]
        fixed = {origin(r, name, r.settings[name]) for r in untyped if name in r.settings}
        for run in untyped:
            seed = run.settings["seed"]
            if name not in run.settings and origin(run, name, seed) in fixed:
                run.settings[name] = seed


def _merge_pruned(unranked: list[UnrankedRun]) -> list[UnrankedRun]:
    """One entry for all pruned trials of a sweep: they may be most of a search."""
    counts = Counter(run.path.parent for run in unranked if run.state == "pruned")
    entries = [run for run in unranked if run.state != "pruned"]
    reason = "that fell behind the others (sweep.prune)"
    return entries + [UnrankedRun(sweep, "pruned", f"{n} {reason}") for sweep, n in counts.items()]


def _add(path: Path, done: list[Record], unranked: list[UnrankedRun]) -> None:
    try:
        record = Record.read(path)
    except UserError as error:
        unranked.append(UnrankedRun(path, "broken", str(error)))
        return
    if record.settings.get("trainer.overfit") is True:
        reason = "trained and evaluated on one batch (trainer.overfit)"
        unranked.append(UnrankedRun(path, "overfit", reason))
    elif record.status == "done":
        done.append(record)
    else:
        unranked.append(_unranked(record))


def _unranked(record: Record) -> UnrankedRun:
    """Why it has not finished, and the command that finishes it."""
    path, sweep = record.path, record.path.parent
    reason = str(record.result.get("reason") or "")
    plugins = [o for o in record.overrides if _key(o) == "plugins"]  # only typed ones count
    if record.status == "unfinished":
        reason = _attempts(sweep).get(path.name) or f"running, or killed; {_progress(path)}"
    if (sweep / "sweep.json").is_file():
        command: tuple[str, ...] = ("python", "train.py", "-m", f"sweep.resume={sweep}", *plugins)
    elif any((path / "checkpoints").glob("last-*")) and record.status != "failed":
        command = ("python", "train.py", f"resume={path}", *plugins)
    else:  # a run that diverged would diverge again from its last checkpoint
        command = ("python", "train.py", *record.overrides)
    return UnrankedRun(path, record.status, " ".join(reason.split()) or "no reason given", command)


def _progress(path: Path) -> str:
    """`step 40, last written 3 min ago`."""
    file = path / "metrics.jsonl"
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
            lines = stream.read().splitlines()
        step = f"step {json.loads(lines[-1])['step']:,}" if lines else "before the first report"
        minutes = (time.time() - file.stat().st_mtime) / 60
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "nothing reported yet"
    ago = f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"
    return f"{step}, last written {ago} ago"


def _attempts(sweep: Path) -> dict[str, str]:
    """Why each trial of a sweep has ended, by the name of its folder."""
    reasons: dict[str, str] = {}
    for line in _lines(sweep / "attempts.jsonl"):
        if isinstance(line, dict) and "member" in line:
            reasons[line["member"]] = str(line.get("reason") or "")
    return reasons


def _lines(file: Path) -> Iterator[Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def _not_started(sweep: Path) -> list[UnrankedRun]:
    """Trials without a run directory: those that failed before they had one, one by one; one entry
    for all others."""
    try:
        content = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    trials = content.get("members") if isinstance(content, dict) else None
    names = [trial["name"] for trial in trials or () if isinstance(trial, dict) and "name" in trial]
    missing = [name for name in names if not (sweep / name / "config.yaml").is_file()]
    command = ("python", "train.py", "-m", f"sweep.resume={sweep}")
    reasons = _attempts(sweep) if missing else {}
    failed = [name for name in missing if reasons.get(name)]
    unranked = [UnrankedRun(sweep / name, "failed", reasons[name], command) for name in failed]
    if waiting := len(missing) - len(failed):
        reason = f"{waiting} of {len(names)} trials"
        unranked.append(UnrankedRun(sweep, "not begun", reason, command))
    return unranked


def metric_curve(run: Record, split: str, name: str) -> dict[int, float]:
    """A metric by step from metrics.jsonl, as far as the file can be read."""
    curve: dict[int, float] = {}
    with contextlib.suppress(UserError):
        for row in RunDirectory(run.path).metrics(split):
            if name in row:
                curve[row["step"]] = row[name]
    return curve
