"""SIGINT, SIGTERM and similar signals: recorded when received, handled at the end of a step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGUSR1, SIGUSR2: a cluster's notice before a time limit or a preemption
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


class StopSignals:
    """Holds the first signal received; a second one changes nothing, the end is under way."""

    def __init__(self) -> None:
        self.received: int | None = None

    def any(self) -> bool:
        """Whether one has been received."""
        return self.received is not None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is None:
            self.received = number

    @contextmanager
    def caught(self) -> Iterator["StopSignals"]:
        """Catch the signals inside; outside they do what they did before."""
        before = {}
        try:
            for name in NAMES:
                if hasattr(signal, name):
                    number = getattr(signal, name)
                    before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread: signals go elsewhere
            pass
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
