"""Ending members whose validation stays behind the others', so that the time goes to better ones.

A member's curve is its best validation so far (more is better) after each evaluation. Evaluations
are counted, not steps: members may differ in the size of their batches.
"""

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Literal

PruneName = Literal["median", "halving"]
KEEP = 3  # halving keeps one in so many, and lets it train so many times longer
ENOUGH = 4  # others that the median rule wants to see


def hopeless(rule: PruneName, after: int, own: list[float], others: Iterable[list[float]]) -> str:
    """Why a member is not worth going on with; empty where it is.

    median: its best so far is worse than the median of the others' bests at the same evaluation
    (Golovin et al., 2017, Vizier, section 3.2).
    halving: at evaluation `after`, 3 `after`, 9 `after`, ... it is not among the best third of all
    that came so far (Li et al., 2020, ASHA, arXiv:1810.05934).

    Args:
        rule: Which of the two.
        after: Evaluations that every member gets.
        own: Its curve.
        others: Theirs, of whatever length.
    """
    rung = len(own)
    if rung < after:
        return ""
    if rule == "halving":
        rung = after * KEEP ** math.floor(math.log(rung / after, KEEP) + 1e-9)
    mine = own[rung - 1]
    theirs = [one[rung - 1] for one in others if len(one) >= rung]
    if rule == "median":
        if len(theirs) < ENOUGH or mine >= median(theirs):
            return ""
        return f"after {rung} evaluations worse than the median of {len(theirs)} others"
    place, all_of_us = 1 + sum(one > mine for one in theirs), 1 + len(theirs)
    if all_of_us < KEEP or place <= math.ceil(all_of_us / KEEP):
        return ""
    return f"after {rung} evaluations in place {place} of {all_of_us}"


class Curve:
    """A member's curve, read from its metrics.jsonl as that grows.

    Args:
        run: Its folder, made or not.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.file = run, run / "metrics.jsonl"
        self.monitor = ""  # `accuracy`, or `-loss` where less is better
        self.bests: list[float] = []
        self.step = 0
        self._read = 0

    def update(self) -> bool:
        """Read on; whether there was an evaluation."""
        try:
            if not self.monitor:
                self.monitor = json.loads((self.run / "dataset.json").read_text())["monitor"]
            size = self.file.stat().st_size
            if size == self._read:
                return False
            if size < self._read:  # it goes on from a checkpoint, which lies further back
                self.bests, self._read = [], 0
            with self.file.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:
            return False
        whole = content[: content.rfind(b"\n") + 1]
        self._read += len(whole)
        before = len(self.bests)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # cut and grown again between two looks
                self._read = sys.maxsize
                return False
            self.step = row["step"]
            name = self.monitor.removeprefix("-")
            if row["split"] == "val" and name in row:
                score = -row[name] if self.monitor.startswith("-") else row[name]
                self.bests.append(max([score, *self.bests[-1:]]))
        return len(self.bests) > before
