"""The run that a user names: its folder, a folder of runs, or `last`."""

import re
from datetime import datetime
from pathlib import Path

from zoo.errors import UserError
from zoo.files import user_path
from zoo.runs.directory import RunDirectory
from zoo.runs.result import FILE, read_result
from zoo.terminal import remark

OUTPUTS = Path("outputs")  # where `last` looks: the default of output_dir
STARTED = re.compile(r"(\d{6}_\d{4}|\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)(?:-(\d+))?")
LEVELS = 4  # outputs/<name>/<sweep>/<trial>; no deeper, as a folder may be a whole disk


def find_run(text: str, option: str = "run", trained: bool = True) -> RunDirectory:
    """A run by its folder; of a folder of runs the newest, which a note on stderr names.

    Args:
        text: A run directory, a folder of runs, or `last`: the newest below `outputs`.
        option: Names it in messages.
        trained: Whether runs that have saved a checkpoint come first.

    Raises:
        UserError: There is none.
    """
    if not text.strip():
        raise UserError(f"{option}= names no folder; give a run directory, or last")
    folder = user_path(text)
    is_last = text == "last" and not folder.exists()
    if is_last:
        folder = OUTPUTS
    if (folder / "config.yaml").is_file() or not folder.is_dir() and not is_last:
        return RunDirectory.open(folder, option)
    runs = [run for run in runs_below(folder) if (run / "checkpoints").is_dir()]
    saved = [run for run in runs if any((run / "checkpoints").glob("[bl]*-*"))]
    newest = max((trained and saved) or runs, default=None, key=_started)
    if newest is None and is_last:
        raise UserError(f"{option}=last: there is no run below {OUTPUTS}; name its folder")
    if newest is None:
        return RunDirectory.open(folder, option)  # says that it is none
    remark(f"note: {option}={text} is the newest run there, {newest}")
    return RunDirectory(newest)


def newest_done(folder: Path) -> Path | None:
    """Of a folder of runs (`outputs/gpt_stdlib`), sweeps' trials included, the newest that is done;
    None where there is none, or where the folder is itself a run."""
    if (folder / "config.yaml").is_file():
        return None
    runs = sorted(runs_below(folder), key=_started, reverse=True)
    ended = (run for run in runs if (run / FILE).is_file())
    return next((r for r in ended if read_result(RunDirectory(r)).get("status") == "done"), None)


def runs_below(folder: Path) -> list[Path]:
    """The runs in a folder, sweeps' trials included."""
    patterns = ["*/" * level + "config.yaml" for level in range(1, LEVELS)]
    return [file.parent for pattern in patterns for file in folder.glob(pattern)]


def _started(run: Path) -> tuple[str, int, float]:
    """When a run began: by the name of its folder or its sweep's, else by its files."""
    modified = (run / "config.yaml").stat().st_mtime
    for part in (run.name, run.absolute().parent.name):
        if match := STARTED.fullmatch(part):
            digits = re.sub(r"\D", "", match[1])
            is_short = len(digits) == 10  # without a century and seconds; longer ones are older
            return f"20{digits}60" if is_short else digits, int(match[2] or 1), modified
    return f"{datetime.fromtimestamp(modified):%Y%m%d%H%M%S}", 0, modified
