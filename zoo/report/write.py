"""Writing `report.html`."""

from collections.abc import Callable
from pathlib import Path

from zoo.files import write_text
from zoo.report.page import FILE


def write_run(folder: Path) -> Path:
    """Write the report of a run in its folder; returns its path.

    Raises:
        UserError: It is no run, or cannot be read.
        OSError: The disk refuses the file.
    """
    from zoo.report.run import render

    path = folder / FILE
    write_text(path, render(folder))
    return path


def write_sweep(folder: Path) -> Path:
    """Write the report of a sweep in its folder, and of its runs that lack theirs.

    Raises:
        UserError: It holds no run, or one of its files cannot be read.
        OSError: The disk refuses the file.
    """
    from zoo.report.sweep import render
    from zoo.runs.directory import find_runs

    for run in find_runs(folder):
        if not (run / FILE).is_file():
            attempt(write_run, run, lambda text: None)  # the sweep's own says that it is broken
    path = folder / FILE
    write_text(path, render(folder))
    return path


def attempt(
    write: Callable[[Path], Path], folder: Path, warn: Callable[[str], None]
) -> Path | None:
    """Write a report if that is possible; a warning in one line if not: no run fails for it."""
    try:
        return write(folder)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        warn(f"{FILE} was not written ({type(error).__name__}: {reason})")
        return None
