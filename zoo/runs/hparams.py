"""A run as TensorBoard's HParams tab knows it: its settings, and how it ended.

Two small event files beside the figures' own: `*.begin` with the settings, `*.end` with the status.
Of each, TensorBoard believes the first that it reads; in files of their own they can be replaced
when a run goes on with a larger budget, or ends better than it did before. A run that is at work,
or was interrupted, has no end, and stands as `unknown`.
"""

import contextlib
import math
import time
from pathlib import Path
from typing import Any

from zoo.runs.settings import OF_SEED, flat

FILE = "events.out.tfevents"


def begin(folder: Path, settings: dict[str, Any]) -> None:
    """Note what a run was asked for; it has not ended (any more)."""
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    forget(folder)
    now = time.time()
    info = SessionStartInfo(start_time_secs=now)
    for name, value in tuned(settings).items():
        if isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    content = HParamsPluginData(session_start_info=info)
    # TensorBoard reads files in the order of their names: this one before the figures'.
    _write(folder / f"{FILE}.{int(now) - 1:010d}.begin", SESSION_START_INFO_TAG, content)


def end(folder: Path, done: bool) -> None:
    """Note that a run has come to its end, or has failed."""
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    now = time.time()
    status = api_pb2.STATUS_SUCCESS if done else api_pb2.STATUS_FAILURE
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=now))
    _remove(folder, "end")
    _write(folder / f"{FILE}.{int(now) + 1:010d}.end", SESSION_END_INFO_TAG, content)


def failed(folder: Path, settings: dict[str, Any]) -> None:
    """Note a failure from outside, of a run that could not say so, or never began."""
    with contextlib.suppress(OSError):  # a full disk may be why it failed
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob(f"{FILE}.*.begin")):
            begin(folder, settings)
        end(folder, done=False)


def forget(folder: Path) -> None:
    """Take back what was noted."""
    for kind in ("begin", "end"):
        _remove(folder, kind)


def tuned(settings: dict[str, Any]) -> dict[str, float | str]:
    """Names such as `optim.lr` and their values, numbers or text, of all that may tell runs apart.

    A seed of the split that follows the run's would be a second column of the same numbers.
    """
    values = flat(settings) | {"seed": settings["seed"]}
    for name in OF_SEED:
        if values.get(name) == settings["seed"]:
            del values[name]
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> float | str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if number and math.isfinite(value) else str(value)


def _remove(folder: Path, kind: str) -> None:
    for file in folder.glob(f"{FILE}.*.{kind}"):
        file.unlink(missing_ok=True)


def _write(path: Path, tag: str, content: Any) -> None:
    """One summary without values, as an event file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.metadata import create_summary_metadata
    from tensorboard.summary.writer.record_writer import RecordWriter

    value = Summary.Value(tag=tag, metadata=create_summary_metadata(content))
    now = time.time()
    with path.open("wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        records.write(Event(wall_time=now, summary=Summary(value=[value])).SerializeToString())
