"""Restarts by torchrun (`--max-restarts`): the run goes on in the folder that it has.

torchrun starts all ranks again, with the same command, when one of them has died. The folder is
found by what names the launch: its rendezvous id, or else the process of torchrun.
"""

import os
import socket
from pathlib import Path

from zoo.files import write_text
from zoo.runs.directory import RunDirectory
from zoo.runs.overrides import split_lines

MARK = ".torchrun"  # a file of the run folder
UNNAMED = "none"  # torchrun's rendezvous id where none is given


def by_torchrun() -> bool:
    """Whether torchrun has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def mark(run: RunDirectory) -> None:
    """Note which launch has made the run."""
    if by_torchrun():
        write_text(run.path / MARK, _launch_id())


def restarted_run(parent: Path, overrides: list[str]) -> RunDirectory | None:
    """The run that this launch made before torchrun started its ranks again, if any.

    Args:
        parent: The folder of the runs of this name.
        overrides: As typed: an older launch may have had the same id and another command.
    """
    if not by_torchrun() or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
        return None
    marks = sorted(parent.glob(f"*/{MARK}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in marks:
        typed = split_lines(path.with_name("overrides.txt").read_text(encoding="utf-8"))
        is_run = path.with_name("config.yaml").is_file()
        if is_run and path.read_text() == _launch_id() and typed == overrides:
            return RunDirectory(path.parent)
    return None


def _launch_id() -> str:
    name = os.environ["TORCHELASTIC_RUN_ID"]
    return f"{name} {socket.gethostname()} {os.getppid()}" if name == UNNAMED else name
