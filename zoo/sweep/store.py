"""What a sweep was asked for and how far it is, on the disk: it survives whatever ends it.

<output_dir>/<name>/<date_time>/
    sweep.json          the members; of a search also what it chooses from
    attempts.jsonl      what began and how it ended, a line each
    study.db            of a search: Optuna's record
    logs/<member>.log   what each printed
    <member>/           run directories
"""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.files import write_text
from zoo.runs.directory import RunDirectory, fresh_folder
from zoo.sweep.trials import Member

VERSION = 1
PATIENCE, POLL = 3.0, 0.05  # seconds


@dataclass
class Ledger:
    """A sweep's folder.

    Attributes:
        path: Where it is.
        members: Those known so far.
        command: As typed.
        search: What a search was asked for; None for a grid.
        config_dir: The user's folder of configs, if one was named.
    """

    path: Path
    members: list[Member]
    command: str
    search: dict[str, Any] | None = None
    config_dir: str | None = None

    @classmethod
    def create(
        cls, root: Path, members: list[Member], command: str, search: dict[str, Any] | None = None
    ) -> "Ledger":
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
        ledger = cls(path, members, command, search, str(folder) if folder else None)
        ledger.write()
        return ledger

    def write(self) -> None:
        """sweep.json as it is now."""
        content = {"version": VERSION, "command": self.command, "search": self.search}
        content |= {"config_dir": self.config_dir} if self.config_dir else {}
        content["members"] = [asdict(member) for member in self.members]
        write_text(self.path / "sweep.json", json.dumps(content, indent=1) + "\n")

    def add(self, member: Member) -> None:
        """One more member, on the disk before it begins."""
        self.members.append(member)
        self.write()

    @classmethod
    def open(cls, folder: str) -> "Ledger":
        """A sweep that was begun.

        Raises:
            UserError: A folder that holds none, or one of another version.
        """
        path = Path(folder).expanduser()
        try:
            content = json.loads((path / "sweep.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            newest = max(path.glob("*/sweep.json"), default=None)
            hint = f"; the newest sweep below it is {newest.parent}" if newest else ""
            raise UserError(f"sweep.resume={folder} holds no sweep.json{hint}") from None
        if content.get("version") != VERSION:
            raise UserError(
                f"{path / 'sweep.json'} is of version {content.get('version')}, expected "
                f"{VERSION}: it goes on with the code that began it"
            )
        members = [
            Member(m["name"], tuple(m["overrides"]), m.get("trial")) for m in content["members"]
        ]
        more = {key: content.get(key) for key in ("search", "config_dir")}
        return cls(path, members, content["command"], **more)

    @contextmanager
    def held(self, member: Member | None = None, patience: float = PATIENCE) -> Iterator[int]:
        """Nobody else runs this sweep (or this member of it) meanwhile; processes that inherit the
        descriptor hold on to it as well while they live.

        Raises:
            UserError: Another process does.
        """
        held = self.log(member) if member else self.path / "attempts.jsonl"
        with held.open("a") as file:  # to be written: else NFS does not lock it
            for _ in range(1 + int(patience / POLL)):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:  # members of a sweep that was killed are ending
                    time.sleep(POLL)
                except OSError:  # a file system without locks
                    break
            else:
                what = member.name if member else f"the sweep {self.path}"
                raise UserError(f"another process is running {what}")
            yield file.fileno()

    def untouched(self) -> bool:
        """Whether nobody has written anything into it yet."""
        written = [p for p in self.path.rglob("*") if p.is_file() and p.stat().st_size]
        return written == [self.path / "sweep.json"]

    def remove(self) -> None:
        """As if it had not been asked for; its parents as well where nothing else is in them."""
        shutil.rmtree(self.path)
        for folder in self.path.parents[:2]:
            with suppress(OSError):
                folder.rmdir()

    def busy(self, member: Member) -> bool:
        """Whether a process, on whatever machine, is at it."""
        if not self.log(member).exists():
            return False
        try:
            with self.held(member, patience=0):
                return False
        except UserError:
            return True

    def note(self, member: Member, **facts: Any) -> None:
        """Add a line to attempts.jsonl."""
        line = {"member": member.name, "time": datetime.now().isoformat(timespec="seconds")}
        with (self.path / "attempts.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | facts) + "\n")

    def folder(self, member: Member) -> Path:
        """A member's run directory, made or not."""
        return self.path / member.name

    def log(self, member: Member) -> Path:
        """What it printed."""
        return self.path / "logs" / f"{member.name}.log"

    def result(self, member: Member) -> dict[str, Any]:
        """A member's result.json; empty where there is none."""
        try:
            return json.loads((self.folder(member) / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def done(self, member: Member) -> bool:
        """Whether it has come to its end, or was ended for good."""
        return self.result(member).get("status") in ("done", "pruned")

    def prune(self, member: Member, reason: str) -> None:
        """It was ended for good: it is no use to go on with it."""
        if (result := self.result(member)).get("status") == "interrupted":
            result |= {"status": "pruned", "reason": reason}
            RunDirectory(self.folder(member)).write_json("result.json", result)

    def score(self, member: Member) -> float | None:
        """Its best validation, more being better; None without one."""
        result = self.result(member)
        monitor = str(result.get("monitor", "-loss"))
        value = (result.get("best") or {}).get(monitor.lstrip("-"))
        if value is None or value != value:
            return None
        return -value if monitor.startswith("-") else value

    def clear(self, member: Member) -> RunDirectory | None:
        """Where an unfinished member can go on, or None: it starts anew in an empty place."""
        folder = self.folder(member)
        interrupted = self.result(member).get("status") in (None, "interrupted")
        if interrupted and any((folder / "checkpoints").glob("last-*")):
            return RunDirectory(folder)
        if folder.exists():
            shutil.rmtree(folder)
        return None
