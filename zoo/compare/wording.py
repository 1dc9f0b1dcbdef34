"""Differences in words: `+0.0123`, `x0.81`, and what the judge says of a table."""

import math
import shlex

from zoo.compare.difference import ALPHA, LEVEL, Difference
from zoo.compare.judge import Verdict
from zoo.phrases import first_few
from zoo.program import spelled
from zoo.training.console import show

MAX_PLACES = 12  # that a line lists


def amount(size: float, log: bool, larger: bool) -> str:
    """What being better by `size` changes in the metric: `+0.0123`, `-0.12`; a factor of logs."""
    change = size if larger else -size
    if log:
        return f"x{math.exp(change):.3g}"
    return f"{'+' if change >= 0 else '-'}{show(abs(change)) if change else '0'}"


def between(interval: tuple[float, float], log: bool, larger: bool) -> str:
    """`+0.0080 to +0.0166`, the smaller change of the metric first."""
    ends = interval if larger else interval[::-1]
    return " to ".join(amount(end, log, larger) for end in ends)


def sentences(verdict: Verdict) -> list[str]:
    """What the runs of a table show, a sentence each."""
    second = verdict.second
    if second is None:
        return []
    found = second.difference
    if second.decision == "one seed":
        return ["one seed decides nothing: luck may be larger than what differs here"]
    if not found.known:
        return ["nothing: all seeds gave the same figure, so their luck cannot be judged"]
    if verdict.winner:
        others = "2" if len(verdict.comparisons) == 1 else "every other line"
        return [f"1 is better than {others}: {_size(verdict, found)}"]
    if second.decision == "different":
        said = [f"1 is better than 2: {_size(verdict, found)}"]
    elif second.decision == "equal":
        margin = amount(verdict.margin, found.log, True).removeprefix("+")
        said = [f"1 and 2 are equal to within {margin} (two one-sided tests): "]
        said[0] += _size(verdict, found)
    elif found.size < 0 and found.p <= ALPHA:
        said = [f"2 is better than 1 on the seeds that both have: {_size(verdict, found)}; "
                "1 is first by seeds that 2 lacks: give both the same"]  # fmt: skip
    elif found.p <= ALPHA:  # by itself, which the choice of the two does not allow for
        said = ["1 and 2 do not differ significantly, corrected for all pairs of lines: "
                f"{_size(verdict, found)}"]  # fmt: skip
    else:
        said = [f"1 and 2 do not differ significantly: {_size(verdict, found)}", _missing(found)]
    return said + _others(verdict)


def _size(verdict: Verdict, found: Difference) -> str:
    """`+0.0123 (97% interval +0.0080 to +0.0166; paired t-test, 5 seeds, p = 0.01)`."""
    scales = found.log, verdict.table.larger
    first, second = found.runs
    seeds = f"{first} seeds" if first == second else f"{first} and {second} seeds"
    interval = f"{LEVEL} {between(found.interval(), *scales)}"
    test = f"{found.method}, {seeds}, p = {found.p:.2g}"
    return f"{amount(found.size, *scales)} ({interval}; {test})"


def _missing(found: Difference) -> str:
    """What these runs could have shown, and how many would show this difference."""
    least = found.detectable
    shown = f"a factor of {math.exp(least):.3g}" if found.log else f"{show(least)}"
    text = f"such runs show a difference of {shown} or more in 80% of cases"
    more = found.more_seeds
    if more is None:
        return f"{text}; one as small as this would need hundreds of seeds"
    if not more:
        return text
    return f"{text}; about {more} more seeds each would show one as large as this"


def _others(verdict: Verdict) -> list[str]:
    """Which lines differ from the first where not all do."""
    count = len(verdict.comparisons)
    if count < 2:
        return []
    worse, others = verdict.places("different"), verdict.places("undecided", "equal", "one seed")
    parts = [f"worse than 1: {first_few(worse, MAX_PLACES)}"] * bool(worse)
    parts += [f"no significant difference from 1: {first_few(others, MAX_PLACES)}"] * bool(others)
    return [f"{'; '.join(parts)} (Holm's correction for {count * (count + 1) // 2} pairs)"]


def decide_command(verdict: Verdict) -> str | None:
    """The command that goes on until the first two lines differ significantly; None if they do."""
    second = verdict.second
    is_seeds = verdict.table.over == ("seed",)
    if second is None or second.decision in ("different", "equal") or not is_seeds:
        return None
    runs = [str(group.runs[0].path) for group in verdict.table.groups[:2]]
    return spelled(shlex.join(["python", "scripts/compare.py", "--decide", *runs]))
