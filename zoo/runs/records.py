"""Runs as a comparison sees them: settings and result of each; and those that have no result."""

import contextlib
import functools
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import UserError
from zoo.runs.directory import RunDirectory, walk
from zoo.runs.settings import OF_SEED, flat

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # written in C: ten times as fast
TAIL = 4096  # bytes at the end of metrics.jsonl that hold its last line


@dataclass(frozen=True)
class Record:
    """A run that was begun.

    Attributes:
        path: Its folder.
        settings: By dotted name, the seed among them; without those that have no effect.
        overrides: As typed.
        result: What result.json says; empty where there is none.
        ended: When result.json was written, seconds since 1970.
    """

    path: Path
    settings: dict[str, Any]
    overrides: tuple[str, ...]
    result: dict[str, Any]
    ended: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "Record":
        """From a run directory.

        Raises:
            UserError: A file of it is broken.
        """
        config, settings = read_config(path / "config.yaml")
        file = path / "result.json"
        result = RunDirectory(path).read_json(file.name) if file.is_file() else {}
        if not isinstance(result, dict):
            raise UserError(f"{file} is not a run's: expected an object")
        try:
            lines = (path / "overrides.txt").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        overrides = tuple(line for line in lines if line)
        seed = config.get("seed")
        settings |= {"seed": seed}
        typed = {_key(one) for one in overrides}
        for name in OF_SEED:
            if name not in typed and settings.get(name) == seed:
                del settings[name]
        kept = {"experiment": config.get("experiment"), "name": config.get("name")}
        ended = file.stat().st_mtime if result else 0.0
        return cls(path, settings, overrides, kept | result, ended)

    @property
    def experiment(self) -> str | None:
        """The recipe, None for a run without."""
        return self.result["experiment"]

    @property
    def data(self) -> str:
        """The dataset's name."""
        return str(self.settings.get("data.name"))

    @property
    def status(self) -> str:
        """`done`, `failed`, `interrupted`; `unfinished` where nobody has written how it ended."""
        return self.result.get("status", "unfinished")

    @property
    def monitor(self) -> str:
        """What the run was judged by: `accuracy`, or `-loss` where smaller is better."""
        return str(self.result.get("monitor", "-loss"))

    @functools.cached_property
    def figures(self) -> dict[str, float]:
        """`val/<name>` at the best step and `test/<name>`, where there are any."""
        validated = self.result.get("best") or self.result.get("val")
        rows = {"val": validated, "test": self.result.get("test")}
        return {
            f"{split}/{name}": value
            for split, row in rows.items()
            for name, value in (row or {}).items()
            if name != "step" and isinstance(value, int | float)
        }

    @property
    def typed(self) -> set[str]:
        """Names of the settings that somebody set by hand."""
        return {_key(one) for one in self.overrides}


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


@dataclass(frozen=True)
class Apart:
    """A run that is not ranked.

    Attributes:
        path: Its folder, or its sweep's.
        state: `failed`, `interrupted`, `unfinished`, `pruned`, `not begun`, `broken`, `overfit`,
            `without` the metric.
        reason: One line.
        command: How to go on, where that is possible.
    """

    path: Path
    state: str
    reason: str
    command: tuple[str, ...] = ()


def read_runs(folders: Iterable[Path]) -> tuple[list[Record], list[Apart]]:
    """All runs at or below the folders: those that are done, and the others.

    Raises:
        UserError: A folder that is not there, or none that holds a run.
    """
    done: list[Record] = []
    apart: list[Apart] = []
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            RunDirectory.open(folder, "folder")  # says so, and names the nearest
        for path, is_run in walk(folder):
            if (real := path.resolve()) in seen:
                continue
            seen.add(real)
            if is_run:
                _add(path, done, apart)
            elif (path / "sweep.json").is_file():
                apart += _not_begun(path)
    if not done and not apart:
        listed = ", ".join(map(str, folders))
        raise UserError(f"{listed}: there are no runs at or below it; train.py makes them")
    return done, _pruned_together(apart)


def _pruned_together(apart: list[Apart]) -> list[Apart]:
    """A line for each sweep that has pruned members, which may be most of a search."""
    number = Counter(one.path.parent for one in apart if one.state == "pruned")
    kept = [one for one in apart if one.state != "pruned"]
    behind = "stayed behind the others (sweep.prune)"
    return kept + [Apart(sweep, "pruned", f"{n} that {behind}") for sweep, n in number.items()]


def _add(path: Path, done: list[Record], apart: list[Apart]) -> None:
    try:
        record = Record.read(path)
    except UserError as error:
        apart.append(Apart(path, "broken", str(error)))
        return
    if record.settings.get("trainer.overfit") is True:
        apart.append(Apart(path, "overfit", "trained and judged on one batch (trainer.overfit)"))
    elif record.status == "done":
        done.append(record)
    else:
        apart.append(_unranked(record))


def _unranked(record: Record) -> Apart:
    """Why it has not come to its end, and how it can."""
    path, sweep = record.path, record.path.parent
    reason = str(record.result.get("reason") or "")
    if record.status == "unfinished":
        reason = _attempts(sweep).get(path.name) or f"running, or killed; {_progress(path)}"
    if (sweep / "sweep.json").is_file():
        command: tuple[str, ...] = ("python", "train.py", "-m", f"sweep.resume={sweep}")
    elif any((path / "checkpoints").glob("last-*")) and record.status != "failed":
        command = ("python", "train.py", f"resume={path}")
    else:  # what diverged would diverge again from its last checkpoint
        command = ("python", "train.py", *record.overrides)
    return Apart(path, record.status, " ".join(reason.split()) or "no reason given", command)


def _progress(path: Path) -> str:
    """`step 40, last written 3 min ago`."""
    file = path / "metrics.jsonl"
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - TAIL))
            lines = stream.read().splitlines()
        step = f"step {json.loads(lines[-1])['step']:,}" if lines else "before the first report"
        minutes = (time.time() - file.stat().st_mtime) / 60
    except (OSError, ValueError, KeyError, TypeError):
        return "nothing reported yet"
    ago = f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.0f} h"
    return f"{step}, last written {ago} ago"


def _attempts(sweep: Path) -> dict[str, str]:
    """Why each member of a sweep has ended, by its folder's name, if it has."""
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
        except ValueError:
            continue


def _not_begun(sweep: Path) -> list[Apart]:
    """Members without a run directory: each that failed before it had one, the others counted."""
    try:
        content = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    members = content.get("members") if isinstance(content, dict) else None
    names = [m["name"] for m in members or () if isinstance(m, dict) and "name" in m]
    missing = [name for name in names if not (sweep / name / "config.yaml").is_file()]
    command = ("python", "train.py", "-m", f"sweep.resume={sweep}")
    reasons = _attempts(sweep) if missing else {}
    failed = [name for name in missing if reasons.get(name)]
    apart = [Apart(sweep / name, "failed", reasons[name], command) for name in failed]
    if left := len(missing) - len(failed):
        apart.append(Apart(sweep, "not begun", f"{left} of {len(names)} members", command))
    return apart


def course(run: Record, split: str, name: str) -> dict[int, float]:
    """One figure of metrics.jsonl by step, as far as the file can be read."""
    figures: dict[int, float] = {}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        for row in RunDirectory(run.path).metrics(split):
            if name in row:
                figures[row["step"]] = row[name]
    return figures


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's config.yaml, and its settings by dotted name.

    Raises:
        UserError: It cannot be read.
    """
    config: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    try:
        for text in re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            part, values = _part(text)
            config |= part
            settings |= values
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(config.get("data"), dict):
        raise UserError(f"{path} is not a run's: it lacks the settings of its data")
    return config, settings


@functools.lru_cache(maxsize=4096)
def _part(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A group of a config and its settings by dotted name: a sweep's runs share most groups, so
    that a thousand are read in a fifth of the time. Not to be written to."""
    content = yaml.load(text, Loader) or {}  # safe either way
    if not isinstance(content, dict):
        raise ValueError("it is no list of settings")
    return content, flat(content)
