"""The state of a sweep on disk, from which it can be resumed after any kind of stop.

<output_dir>/<name>/<date_time>/
    sweep.json          the trials (under the key `members`); of a search also its space
    attempts.jsonl      start and end of every attempt, one line each
    study.db            of a search: Optuna's study
    logs/<trial>.log    the output of each trial
    <trial>/            run directories
"""

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.files import LOCK_SECONDS, lock, user_path, write_text
from zoo.runs.directory import RunDirectory, fresh_folder
from zoo.runs.rank import kind
from zoo.runs.records import Record
from zoo.sweep.trials import Trial

VERSION = 1


@dataclass
class SweepState:
    """A sweep's folder.

    Attributes:
        path: The folder.
        trials: Those known so far.
        command: The command line that started the sweep.
        search: The settings of a search; None for a grid.
        config_dir: The user's folder of configs, if one was named.
    """

    path: Path
    trials: list[Trial]
    command: str
    search: dict[str, Any] | None = None
    config_dir: str | None = None

    @classmethod
    def create(
        cls, root: Path, trials: list[Trial], command: str, search: dict[str, Any] | None = None
    ) -> "SweepState":
        """A new folder below root.

        Raises:
            UserError: It cannot be made.
        """
        try:
            root.mkdir(parents=True, exist_ok=True)
            path = fresh_folder(root)
            (path / "logs").mkdir()
        except OSError as error:
            raise UserError(
                f"cannot make a folder in {root}: {error.strerror or error}; set output_dir= to "
                f"one that can be written"
            ) from None
        folder = configs.added_config_dir()
        state = cls(path, trials, command, search, str(folder) if folder else None)
        state.write()
        return state

    def write(self) -> None:
        """Write sweep.json."""
        content = {"version": VERSION, "command": self.command, "search": self.search}
        content |= {"config_dir": self.config_dir} if self.config_dir else {}
        content["members"] = [trial.to_json() for trial in self.trials]
        write_text(self.path / "sweep.json", json.dumps(content, indent=1) + "\n")

    def add(self, trial: Trial) -> None:
        """Add a trial, on disk before it starts."""
        self.trials.append(trial)
        self.write()

    @classmethod
    def open(cls, folder: str) -> "SweepState":
        """The state of an existing sweep.

        Raises:
            UserError: A folder without a sweep, or one of another version.
        """
        path = user_path(folder)
        try:
            content = json.loads((path / "sweep.json").read_text(encoding="utf-8"))
        except OSError:
            newest = max(path.glob("*/sweep.json"), default=None)
            hint = f"; the newest sweep below it is {newest.parent}" if newest else ""
            raise UserError(f"sweep.resume={folder} holds no sweep.json{hint}") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path / 'sweep.json'} cannot be read: {error}") from None
        version = content.get("version") if isinstance(content, dict) else None
        if version != VERSION:
            raise UserError(
                f"{path / 'sweep.json'} is of version {version}, expected {VERSION}: resume it "
                f"with the code that started it"
            )
        try:
            trials = [Trial.from_json(entry) for entry in content["members"]]
            optional = {key: content.get(key) for key in ("search", "config_dir")}
            return cls(path, trials, content["command"], **optional)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path / 'sweep.json'} is damaged: {error}") from None

    @property
    def plugins(self) -> set[str]:
        """The overrides `plugins=...` of its trials."""
        typed = self.search.get("typed", []) if self.search else []
        overrides = [*typed, *(o for trial in self.trials for o in trial.overrides)]
        return {o for o in overrides if configs.key_of(o) == "plugins"}

    @contextmanager
    def locked(self, trial: Trial | None = None, timeout: float = LOCK_SECONDS) -> Iterator[int]:
        """Hold the lock of the sweep, or of one trial; yields its file descriptor.

        Processes that inherit the descriptor hold the lock as well while they live.

        Raises:
            UserError: Another process holds it.
        """
        path = self.log_file(trial) if trial else self.path / "attempts.jsonl"
        with path.open("a") as file:
            if not lock(file, timeout):
                what = trial.name if trial else f"the sweep {self.path}"
                raise UserError(f"another process is running {what}")
            yield file.fileno()

    def is_locked(self, trial: Trial) -> bool:
        """Whether a process is running the trial, on any machine."""
        if not self.log_file(trial).exists():
            return False
        try:
            with self.locked(trial, timeout=0):
                return False
        except UserError:
            return True

    def is_empty(self) -> bool:
        """Whether nothing was written but sweep.json."""
        written = [p for p in self.path.rglob("*") if p.is_file() and p.stat().st_size]
        return written == [self.path / "sweep.json"]

    def remove(self) -> None:
        """Delete the folder, and its parents if they are empty then."""
        shutil.rmtree(self.path)
        for folder in self.path.parents[:2]:
            with suppress(OSError):
                folder.rmdir()

    def record(self, trial: Trial, **facts: Any) -> None:
        """Add a line to attempts.jsonl."""
        line = {"member": trial.name, "time": datetime.now().isoformat(timespec="seconds")}
        with (self.path / "attempts.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | facts) + "\n")

    def folder(self, trial: Trial) -> Path:
        """The path of a trial's run directory, which may not exist yet."""
        return self.path / trial.name

    def log_file(self, trial: Trial) -> Path:
        """The file with a trial's output."""
        return self.path / "logs" / f"{trial.name}.log"

    def result(self, trial: Trial) -> dict[str, Any]:
        """A trial's result.json; empty if there is none."""
        try:
            return json.loads((self.folder(trial) / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}

    def done(self, trial: Trial) -> bool:
        """Whether it has finished, or was pruned."""
        return self.result(trial).get("status") in ("done", "pruned")

    def prune(self, trial: Trial, reason: str) -> None:
        """Mark an interrupted trial as pruned: it will not be resumed."""
        if (result := self.result(trial)).get("status") == "interrupted":
            result |= {"status": "pruned", "reason": reason}
            RunDirectory(self.folder(trial)).write_json("result.json", result)

    def score(self, trial: Trial) -> float | None:
        """Its best validation score, higher is better; None if it has none."""
        result = self.result(trial)
        monitor = str(result.get("monitor", "-loss"))
        value = (result.get("best") or {}).get(monitor.lstrip("-"))
        if value is None or not math.isfinite(value):
            return None
        return -value if monitor.startswith("-") else value

    def kind(self, trial: Trial, monitor: str) -> tuple[str, ...] | None:
        """Equal for trials whose monitored metric may be compared; None before it has begun."""
        try:
            return kind(Record.read(self.folder(trial)), monitor)
        except UserError:
            return None

    def is_saved(self, trial: Trial) -> bool:
        """Whether an unfinished trial has a checkpoint to go on from."""
        interrupted = self.result(trial).get("status") in (None, "interrupted")
        return interrupted and any((self.folder(trial) / "checkpoints").glob("last-*"))

    def prepare_folder(self, trial: Trial) -> RunDirectory | None:
        """The run directory that an unfinished trial resumes from; None to start over.

        A folder from which it cannot resume is deleted.
        """
        folder = self.folder(trial)
        if self.is_saved(trial):
            return RunDirectory(folder)
        if folder.exists():
            shutil.rmtree(folder)
        return None
