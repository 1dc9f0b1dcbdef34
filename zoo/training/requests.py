"""Requests to stop or to save: one rank's own, and the one that all ranks follow together."""

import math
import time
from enum import IntEnum

from torch import Tensor

from zoo.training.config import TrainerConfig
from zoo.training.host_copy import HostCopy
from zoo.training.runtime import Runtime
from zoo.training.signals import StopSignals

OUT_OF_TIME = "trainer.max_minutes are over"


class Request(IntEnum):
    """A request of a rank. A number between NONE and SAVE is that of a signal."""

    NONE = 0
    SAVE = 500
    OUT_OF_TIME = 1000


class Clock:
    """Seconds spent training, those before a resume counted in."""

    def __init__(self) -> None:
        self._before, self._start, self._end = 0.0, time.perf_counter(), math.inf

    @property
    def seconds(self) -> float:
        """Seconds of training so far, earlier sessions included."""
        return self._before + min(time.perf_counter(), self._end) - self._start

    def restart(self, before: float) -> None:
        """Start now, after the seconds of earlier sessions."""
        self._before, self._start, self._end = before, time.perf_counter(), math.inf

    def stop(self) -> None:
        """Training is over: testing, judging and drawing do not count."""
        self._end = min(time.perf_counter(), self._end)


class Requests:
    """The request of this rank at the end of a step, and the one that all ranks follow.

    Args:
        config: The limit in minutes, and those between checkpoints.
        runtime: The ranks. The clock is rank 0's; signals may reach any.
        clock: Of the training.
        signals: That this process received.
    """

    def __init__(
        self, config: TrainerConfig, runtime: Runtime, clock: Clock, signals: StopSignals
    ) -> None:
        self.config, self.runtime, self.clock, self.signals = config, runtime, clock, signals
        self.saved_at = 0.0  # second of the last checkpoint
        self._total: HostCopy | None = None

    def local(self) -> int:
        """The request of this rank now: a signal's number, or a `Request`."""
        if self.signals.received is not None:
            return self.signals.received
        if not self.runtime.main:
            return Request.NONE
        if self.out_of_time():
            return Request.OUT_OF_TIME
        every = self.config.save_minutes
        due = every is not None and self.clock.seconds - self.saved_at > 60 * every
        return Request.SAVE if due else Request.NONE

    def resolve(self, local: int, total: Tensor | None) -> int:
        """The strongest request of all ranks.

        Ranks read the total of a step at the next one, when it has long arrived: a GPU is not
        waited for, and all ranks see the same.

        Args:
            local: This rank's.
            total: The sum of all ranks' requests of this step, or None for a single rank.
        """
        if total is None:
            return local
        before, self._total = self._total, HostCopy(total)
        if before is None or before.read() <= 0:
            return Request.NONE
        return max(self.runtime.gather(local))

    def out_of_time(self) -> str | None:
        """Why training ends, once its minutes are over."""
        limit = self.config.max_minutes
        return OUT_OF_TIME if limit is not None and self.clock.seconds > 60 * limit else None
