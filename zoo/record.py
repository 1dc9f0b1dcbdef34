"""What makes a folder a run: its config, what was typed, the facts and the encoding of its data."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import yaml

from zoo.config import groups as configs
from zoo.config.run import RunConfig
from zoo.data.dataset import Dataset
from zoo.data.encoding import load_encoding
from zoo.errors import UserError
from zoo.files import sync_folder, write_text
from zoo.runs.directory import RunDirectory
from zoo.runs.overrides import join_lines
from zoo.start import Start
from zoo.training.elastic import mark
from zoo.training.trainer import Trainer


def record_run(
    trainer: Trainer,
    start: Start,
    overrides: list[str],
    dataset: Dataset,
    resumed: RunDirectory | None,
) -> None:
    """Write the files of a new run, or those that a resumed run lacks or whose budget has changed.

    Raises:
        OSError: The disk refuses it.
    """
    run, config = trainer.run, start.config
    if resumed is None or not (run.path / "dataset.json").is_file():
        _record(trainer, start, overrides, dataset)
        return
    before = configs.read_yaml(run.path / "config.yaml")
    if config.to_dict() != before:
        _write_config(run, config)
    if (parts := config.trainer.accumulate) != (then := before["trainer"]["accumulate"]):
        trainer.console.warn(
            f"trainer.accumulate was {then}, is {parts}: the same batches are cut otherwise, so "
            f"the end may differ from an uninterrupted run's, and more with batch norm or dropout"
        )
    try:
        load_encoding(run.read_dataset()["encoding"])
    except UserError as error:
        _write_dataset(trainer, start, dataset)
        dataset.notes.append(f"dataset.json is written anew: {error}")


def _write_config(run: RunDirectory, config: RunConfig) -> None:
    write_text(run.path / "config.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False))


def _record(trainer: Trainer, start: Start, overrides: list[str], dataset: Dataset) -> None:
    """Write the data's facts, the monitored metric and the config, before any step.

    The config is the last: a folder without it is no run.
    """
    run = trainer.run
    _write_dataset(trainer, start, dataset)
    write_text(run.path / "overrides.txt", join_lines(overrides))
    mark(run)
    _write_config(run, start.config)
    for folder in list(run.path.parents)[:2]:
        sync_folder(folder)


def _write_dataset(trainer: Trainer, start: Start, dataset: Dataset) -> None:
    content: dict[str, Any] = {"facts": dataset.facts}
    content |= {"encoding": dataset.encoding.to_json()}
    content |= {"sha256": dataset.sha256, "monitor": trainer.task.monitor}
    if start.teacher:
        content["teacher"] = start.teacher.identity
    trainer.run.write_json("dataset.json", content)


@contextlib.contextmanager
def refused_writes(run: RunDirectory, is_new: bool) -> Iterator[None]:
    """One line where the disk refuses a write before the first step; a new folder is removed.

    Raises:
        UserError: It does.
    """
    try:
        yield
    except OSError as error:
        if not is_new:
            raise UserError(disk_error_message(error, run)) from None
        free = shutil.disk_usage(run.path).free
        run.remove()
        raise UserError(
            f"cannot write the files of the run {run.path}: {error.strerror or error}; {free:,} "
            f"bytes are free there; make room, or set output_dir= to another disk"
        ) from None


def disk_error_message(error: OSError, run: RunDirectory) -> str:
    """One line for a disk that refuses a write."""
    file = error.filename.decode() if isinstance(error.filename, bytes) else error.filename
    return (
        f"cannot continue {run.path}: {error.strerror or error}{f' ({file})' if file else ''}; "
        f"{shutil.disk_usage(run.path).free:,} bytes are free; make room, then "
        f"resume={run.path}"
    )
