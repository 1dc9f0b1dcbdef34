"""SIGINT, SIGTERM and similar signals: recorded when received, handled at the end of a step."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

# SIGUSR1, SIGUSR2: a cluster's notice before a time limit or a preemption
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
STOPPING = "Ctrl-C: stopping after this step or batch; what is done is saved"
AGAIN = "already stopping and saving; to end at once, unsaved: kill -9 {}"


def spoken(number: int) -> str:
    """A signal as a person knows it: `Ctrl-C`, `SIGTERM`."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


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
        self._answers = False

    def any(self) -> bool:
        """Whether one has been received."""
        return self.received is not None

    def _note(self, number: int, frame: FrameType | None) -> None:
        is_first = self.received is None
        if is_first:
            self.received = number
        if self._answers and number == signal.SIGINT:
            _say(STOPPING if is_first else AGAIN.format(os.getpid()))

    @contextlib.contextmanager
    def caught(self, answers: bool = False) -> Iterator["StopSignals"]:
        """Catch the signals inside; outside they do what they did before.

        Args:
            answers: Whether Ctrl-C is answered at once, on standard error: by one rank of a run.
        """
        self._answers = answers
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


def _say(text: str) -> None:
    """Write a line past the buffers of Python, which a handler may have interrupted.

    On a terminal it takes the place of `^C`, below the bar, whose next drawing removes it.
    """
    with contextlib.suppress(OSError):
        os.write(2, (f"\r{text}" if os.isatty(2) else f"{text}\n").encode())
