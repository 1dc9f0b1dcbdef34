"""SIGINT, SIGTERM and similar signals: recorded when received, handled at the end of a step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# SIGUSR1, SIGUSR2: a cluster's notice before a time limit or a preemption
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def numbers() -> list[int]:
    """The signals to catch: those of this system, without a SIGHUP that `nohup` has put off."""
    found = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    hangup = getattr(signal, "SIGHUP", None)
    is_put_off = hangup is not None and signal.getsignal(hangup) == signal.SIG_IGN
    return [number for number in found if not (is_put_off and number == hangup)]


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
            for number in numbers():
                before[number] = signal.signal(number, self._note)
        except ValueError:  # not the main thread: signals go elsewhere
            pass
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
