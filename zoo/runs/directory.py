"""Run directories: creating, opening and finding them.

outputs/<experiment>/<date_time>[-n]/
    config.yaml  overrides.txt  dataset.json  train.log  metrics.jsonl  result.json
    events.out.tfevents.*  checkpoints/  previews/
"""

import contextlib
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from zoo.errors import UserError, closest_match
from zoo.files import finite, user_path, write_text
from zoo.runs.metrics_file import read_rows
from zoo.schema import describe_value


class RunDirectory:
    """The folder of a run, and the files in it other than checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._created: list[Path] = []  # parents that were made for it
        self.metrics_file = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.previews = path / "previews"

    @classmethod
    def create(
        cls,
        root: str | Path,
        experiment: str,
        needed_bytes: int = 0,
        folder: Path | None = None,
    ) -> "RunDirectory":
        """A new folder `root/experiment/<date_time>`; two runs in one minute get two folders.

        Args:
            root, experiment: Its parents.
            needed_bytes: Size of the checkpoints that the run will write.
            folder: The folder to create instead.

        Raises:
            UserError: It cannot be created, or the disk lacks room for the checkpoints.
        """
        parent = folder.parent if folder else user_path(root) / experiment
        created = [p for p in (parent, *parent.parents) if not p.exists()]
        try:
            parent.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(parent).free
            if free < needed_bytes:
                raise UserError(
                    f"no space left for the run in {parent}: its checkpoints need about "
                    f"{megabytes(needed_bytes)}, {megabytes(free)} are free; free some, or set "
                    f"output_dir= to another disk"
                )
            if folder is not None:
                folder.mkdir()
            path = folder or fresh_folder(parent)
            (path / "checkpoints").mkdir()
            run = cls(path)
            run._created = created
            return run
        except OSError as error:
            cls._remove_empty(created)
            raise UserError(
                f"cannot make a run directory in {parent}: {error.strerror or error}; set "
                f"output_dir= to a folder that can be written"
            ) from None
        except UserError:
            cls._remove_empty(created)
            raise

    def remove(self) -> None:
        """Delete a new folder that became no run, and the parents made for it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._remove_empty(self._created)

    @staticmethod
    def _remove_empty(folders: list[Path]) -> None:
        for folder in folders:
            try:
                folder.rmdir()
            except OSError:
                return

    @classmethod
    def open(cls, path: str | Path, option: str = "run") -> "RunDirectory":
        """An existing run.

        Args:
            path: Its folder.
            option: Names the path in error messages.

        Raises:
            UserError: Not a run directory; the nearest or newest run is suggested.
        """
        folder = user_path(path)
        if not folder.is_dir():
            near = closest_match(str(folder), map(str, _runs_near(folder.parent)))
            hint = f"; did you mean {near}?" if near else ""
            raise UserError(f"{option}={path}: there is no such folder{hint}")
        if not (folder / "config.yaml").is_file():
            newest = max(_runs_near(folder), default=None, key=lambda run: run.stat().st_mtime)
            hint = f"; the newest run below it is {newest}" if newest else ""
            raise UserError(
                f"{option}={path} is not a run directory: it holds no config.yaml{hint}"
            )
        return cls(folder)

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file atomically; nan and infinity, which JSON lacks, become null."""
        write_text(self.path / name, json.dumps(finite(content), indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """A JSON file of the run.

        Raises:
            UserError: Missing or not JSON.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"{self.path / name} is missing; the run did not get that far"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"{self.path / name} cannot be read: {error}") from None

    def read_dataset(self) -> dict[str, Any]:
        """dataset.json: the facts of the data, its encoding, its SHA-256.

        Raises:
            UserError: Missing, not JSON, or of another shape.
        """
        content = self.read_json("dataset.json")
        expected = {"the content": dict, "facts": dict, "encoding": dict, "sha256": str}
        for key, kind in expected.items():
            value = content if key == "the content" else content.get(key)
            if not isinstance(value, kind):
                named = "an object" if kind is dict else "a text"
                raise UserError(
                    f"{self.path / 'dataset.json'}: {key} is {describe_value(value)[:60]}, "
                    f"expected {named}: the file is damaged; restore it from a copy, or train again"
                )
        facts = content["facts"]
        names, number = facts.get("class_names"), facts.get("num_classes")
        if isinstance(names, list) and number is not None and len(names) != number:
            raise UserError(
                f"{self.path / 'dataset.json'}: {len(names)} names of {number} classes: the file "
                f"is damaged; restore it from a copy, or train again"
            )
        return content

    def monitor(self) -> str | None:
        """The metric that the run has picked its best weights by; None before it is recorded."""
        if not (self.path / "dataset.json").is_file():
            return None
        content = self.read_json("dataset.json")
        recorded = content.get("monitor") if isinstance(content, dict) else None
        return recorded if isinstance(recorded, str) else None

    def metrics(self, split: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows of metrics.jsonl, of one split if named.

        Raises:
            UserError: It cannot be read, or is damaged.
        """
        rows = read_rows(self.metrics_file)
        return (row for row in rows if split is None or row["split"] == split)


def fresh_folder(parent: Path) -> Path:
    """A new folder `parent/<date_time>[-n]`, such as `261129_0655`, created atomically.

    Short, because TensorBoard shows it in the name of every run; later names sort last.

    Raises:
        OSError: It cannot be created.
    """
    stamp = datetime.now().strftime("%y%m%d_%H%M")
    for n in itertools.count(1):
        path = parent / (stamp if n == 1 else f"{stamp}-{n}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise AssertionError


def _runs_near(folder: Path) -> Iterator[Path]:
    """Run directories one or two levels below; no deeper, as `folder` may be a whole disk."""
    for pattern in ("*/config.yaml", "*/*/config.yaml"):
        yield from (c.parent for c in folder.glob(pattern) if (c.parent / "checkpoints").is_dir())


def find_runs(folder: Path) -> Iterator[Path]:
    """Run directories at or below a folder, sorted."""
    yield from (path for path, is_run in walk(folder) if is_run)


def walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Folders at or below one, sorted, and whether each is a run; does not enter runs.

    Links to folders elsewhere are followed: runs that were moved to a larger disk stay listed.
    """
    root, entered = folder.resolve(), set[Path]()
    for path, folders, files in os.walk(folder, followlinks=True):
        place = Path(path).resolve()
        repeats = place in entered or place in root.parents
        if repeats or (Path(path).is_symlink() and root in place.parents):
            folders.clear()  # entered before, or found below at its own place
            continue
        entered.add(place)
        is_run = "config.yaml" in files and "checkpoints" in folders
        if is_run:
            folders.clear()
        folders.sort()
        yield Path(path), is_run


def megabytes(count: float) -> str:
    """Bytes as text: `12.3 MB`."""
    return f"{count / 1e6:,.1f} MB"
