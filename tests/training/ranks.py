"""Work of ranks that needs no torch, so that a launch costs a quarter of a second."""

import os
import signal
import sys
import time
from pathlib import Path

from zoo.training import launch
from zoo.training.signals import StopSignals


def note(folder, what):
    """Leave a file that says what this rank does, for `seen` of the test."""
    (Path(folder) / f"{os.environ.get('RANK', 'launcher')} {what}").write_text(str(os.getpid()))


def until_stopped(folder):
    """Train until a signal; save; end as a run does."""
    with StopSignals().caught() as signals:
        note(folder, "works")
        while not signals.any():
            time.sleep(0.01)
        note(folder, f"saved after {signal.Signals(signals.received).name}")
    return 128 + signals.received


def hanging(folder):
    """Rank 1 dies; rank 0 waits for it in an operation that no signal ends."""
    if os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    with StopSignals().caught():
        note(folder, "works")
        time.sleep(60)
    return 0


def launcher(folder, work="until_stopped", grace="120"):
    """Start two ranks, as `trainer.devices=2` does."""
    launch.END_SECONDS, launch.SAVE_SECONDS = 0.1, float(grace)
    return launch.launch(globals()[work], 2, folder)


if __name__ == "__main__":
    sys.exit(launcher(*sys.argv[1:]))
