"""The settings and the status of a run for TensorBoard's HParams tab.

They are two small event files next to that of the metrics: `*.begin` with the settings, `*.end`
with the status. TensorBoard uses the first of each that it reads. In files of their own they can be
replaced when a run is resumed with a larger budget, or ends with another status. A run that is
running or interrupted has no `*.end`, and is shown as `unknown`.

TensorBoard orders columns by name, those that differ between the runs shown first, and shows five.
Spaces before a name, which the page does not show, put the settings of HEADLINE first.
"""

import contextlib
import json
import math
import time
from pathlib import Path
from typing import Any

from zoo.runs.settings import OF_SEED, flat

FILE = "events.out.tfevents"
HEADLINE = ("model.name", "optim.name", "optim.lr", "model.width")
FIRST = {name: " " * (len(HEADLINE) - k) + name for k, name in enumerate(HEADLINE)}


def begin(folder: Path, settings: dict[str, Any]) -> None:
    """Write the settings of a run that starts or resumes."""
    from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    remove(folder)
    now = time.time()
    info = SessionStartInfo(start_time_secs=now)
    for name, value in columns(tuned(settings), swept(folder.parent)).items():
        if isinstance(value, str):
            info.hparams[name].string_value = value
        else:
            info.hparams[name].number_value = value
    content = HParamsPluginData(session_start_info=info)
    # TensorBoard reads files in the order of their names: this one before the metrics.
    _write(folder / f"{FILE}.{int(now) - 1:010d}.begin", SESSION_START_INFO_TAG, content)


def end(folder: Path, done: bool) -> None:
    """Write that a run has finished, or failed."""
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    now = time.time()
    status = api_pb2.STATUS_SUCCESS if done else api_pb2.STATUS_FAILURE
    content = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=now))
    _remove(folder, "end")
    _write(folder / f"{FILE}.{int(now) + 1:010d}.end", SESSION_END_INFO_TAG, content)


def failed(folder: Path, settings: dict[str, Any]) -> None:
    """Write the failure of a run whose process could not, because it crashed or never started."""
    with contextlib.suppress(OSError):  # it may have failed because the disk is full
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob(f"{FILE}.*.begin")):
            begin(folder, settings)
        end(folder, done=False)


def remove(folder: Path) -> None:
    """Delete the settings and the status of a run."""
    for kind in ("begin", "end"):
        _remove(folder, kind)


def tuned(settings: dict[str, Any]) -> dict[str, float | str]:
    """All settings that may differ between runs, by dotted name, as numbers or text.

    A split seed that follows the run's seed is left out: it would repeat that column.
    """
    values = flat(settings) | {"seed": settings["seed"]}
    for name in OF_SEED:
        if values.get(name) == settings["seed"]:
            del values[name]
    return {name: _number_or_text(value) for name, value in values.items()}


def columns(values: dict[str, float | str], keys: set[str] | None) -> dict[str, float | str]:
    """The settings that are shown, named so that those of HEADLINE come first.

    Args:
        values: All settings by dotted name.
        keys: What the run's sweep varies; None for a run on its own, of which all are shown.
    """

    def is_shown(name: str) -> bool:
        if keys is None or name in HEADLINE or "experiment" in keys:
            return True
        return any(name == key or name.startswith(f"{key}.") for key in keys)

    return {FIRST.get(name, name): value for name, value in values.items() if is_shown(name)}


def swept(folder: Path) -> set[str] | None:
    """What the trials of a sweep differ in, by key; None if nothing, or the folder holds none."""
    try:
        content = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        search = content["search"] or {"typed": (), "space": (), "when": {}}
        members = [dict(map(_pair, trial["overrides"])) for trial in content["members"]]
        keys = {key for one in members for key in one if one[key] != members[0].get(key)}
        # The trials of a search are not known yet. Values are given as `1,2` or `interval(1,2)`.
        keys |= {key for key, value in map(_pair, search["typed"]) if set(value) & set(",(")}
        keys |= {key for listed in (search["space"], *search["when"].values()) for key in listed}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    return keys or None


def _pair(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), value


def _number_or_text(value: Any) -> float | str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and math.isfinite(value):
        return value
    return str(value).encode("utf-8", "backslashreplace").decode()  # the file takes UTF-8 alone


def _remove(folder: Path, kind: str) -> None:
    for file in folder.glob(f"{FILE}.*.{kind}"):
        file.unlink(missing_ok=True)


def _write(path: Path, tag: str, content: Any) -> None:
    """An event file with one summary that has a plugin's metadata and no values."""
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
