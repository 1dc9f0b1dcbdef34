"""Pruning: trials whose validation falls behind the others' are stopped early.

A trial's curve is its best validation score so far (higher is better) after each evaluation.
Evaluations are counted, not steps, because trials may differ in batch size.
"""

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Literal

PruneName = Literal["median", "halving"]
REDUCTION_FACTOR = 3  # eta of successive halving
MIN_OTHERS = 4  # trials that the median rule compares with, at least


def prune_reason(
    rule: PruneName, after: int, curve: list[float], others: Iterable[list[float]]
) -> str:
    """Why a trial should be pruned; empty if it should continue.

    median: its best score so far is worse than the median of the others' best scores at the same
    evaluation (Golovin et al., 2017, Vizier, section 3.2).
    halving: at evaluation `after`, 3 `after`, 9 `after`, ... it is not among the best third of all
    trials that have got there (Li et al., 2020, ASHA, arXiv:1810.05934).

    Args:
        rule: Which of the two.
        after: Evaluations that no trial is pruned before.
        curve: The trial's curve.
        others: The curves of the others, of any length.
    """
    rung = len(curve)
    if rung < after:
        return ""
    if rule == "halving":
        exponent = math.floor(math.log(rung / after, REDUCTION_FACTOR) + 1e-9)
        rung = after * REDUCTION_FACTOR**exponent
    score = curve[rung - 1]
    scores = [other[rung - 1] for other in others if len(other) >= rung]
    if rule == "median":
        if len(scores) < MIN_OTHERS or score >= median(scores):
            return ""
        return f"after {rung} evaluations worse than the median of {len(scores)} others"
    rank, total = 1 + sum(x > score for x in scores), 1 + len(scores)
    if total < REDUCTION_FACTOR or rank <= math.ceil(total / REDUCTION_FACTOR):
        return ""
    return f"after {rung} evaluations in place {rank} of {total}"


class Curve:
    """A trial's curve, read from its metrics.jsonl while that grows.

    Args:
        run: Its run directory, which may not exist yet.

    Attributes:
        monitor: The metric: `accuracy`, or `-loss` where lower is better; empty until it is known.
        bests: The best score so far, after each evaluation.
        step: The last step reported.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.file = run, run / "metrics.jsonl"
        self.monitor = ""
        self.bests: list[float] = []
        self.step = 0
        self._offset = 0  # bytes of the file that were read

    def update(self) -> bool:
        """Read new lines; returns whether there was an evaluation."""
        try:
            if not self.monitor:
                self.monitor = json.loads((self.run / "dataset.json").read_text())["monitor"]
            size = self.file.stat().st_size
            if size == self._offset:
                return False
            if size < self._offset:  # resumed from a checkpoint, which truncates the file
                self.bests, self._offset = [], 0
            with self.file.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return False
        complete = content[: content.rfind(b"\n") + 1]
        self._offset += len(complete)
        before = len(self.bests)
        for line in complete.splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # truncated and grown again since the last read
                self._offset = sys.maxsize
                return False
            self.step = row["step"]
            name = self.monitor.removeprefix("-")
            if row["split"] == "val" and name in row:
                score = row[name]
                if score is None or not math.isfinite(score):  # never the best, as in training
                    score = -math.inf
                elif self.monitor.startswith("-"):
                    score = -score
                self.bests.append(max([score, *self.bests[-1:]]))
        return len(self.bests) > before
