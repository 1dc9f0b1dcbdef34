"""Interleaved comparison: every case once a round, and the ratios within rounds."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_STEAL = 0.2  # cores that a hypervisor may give to others while a case runs
MIN_ROUNDS = 3  # undisturbed rounds needed before disturbed ones are left out
Case = Callable[[], float]


def run_interleaved(cases: Mapping[str, Case], rounds: int, unit: str) -> dict[str, list[float]]:
    """Run every case once a round, in alternating order, after one warm-up round; print a table.

    Rounds in which a virtual machine was denied its cores are left out (Linux reports it).

    Args:
        cases: By name, a function that returns its own measurement (steps per second, seconds).
        rounds: How many rounds count.
        unit: Of the measurements, for the table.

    Returns:
        By name, the measurements of the rounds that count.
    """
    measured = [_round(cases, reverse=k % 2 == 0) for k in range(rounds + 1)][1:]
    undisturbed = [row for steal, row in measured if steal <= MAX_STEAL]
    enough = len(undisturbed) >= MIN_ROUNDS
    rows = undisturbed if enough else [row for _, row in measured]
    if disturbed := rounds - len(undisturbed):
        print(
            f"other machines took CPU time in {disturbed} of {rounds} rounds; "
            f"{'these' if enough else 'none'} left out"
        )
    results = {name: [row[name] for row in rows] for name in cases}
    baseline = next(iter(cases))
    for name, values in results.items():
        ratio, low, high = paired_ratio(values, results[baseline])
        median = statistics.median(values)
        print(
            f"{name:36s} {median:10.2f} {unit}  "
            f"{ratio:6.3f} of {baseline} [{low:.3f} to {high:.3f}]"
        )
    return results


def _round(cases: Mapping[str, Case], reverse: bool) -> tuple[float, dict[str, float]]:
    """The most cores stolen during a case, and each case's measurement."""
    row, most_stolen = {}, 0.0
    for name in reversed(list(cases)) if reverse else cases:
        steal, start = steal_seconds(), time.perf_counter()
        row[name] = cases[name]()
        stolen = (steal_seconds() - steal) / (time.perf_counter() - start)
        most_stolen = max(most_stolen, stolen)
    return most_stolen, row


def steal_seconds() -> float:
    """CPU seconds that the hypervisor gave to other machines so far; 0 where not reported."""
    try:
        total = Path("/proc/stat").read_text().split("\n", 1)[0]
        return int(total.split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def paired_ratio(values: list[float], baseline: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest of the ratios within a round."""
    ratios = [a / b for a, b in zip(values, baseline)]
    return statistics.median(ratios), min(ratios), max(ratios)


def format_ratio(values: list[float], baseline: list[float], digits: int = 2) -> str:
    """The paired ratio as `1.02 [0.99 to 1.05]`."""
    ratio, low, high = paired_ratio(values, baseline)
    return f"{ratio:.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def python_process(*arguments: str) -> Case:
    """A case: seconds of a whole Python process, which may write its bytecode caches."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def case() -> float:
        start = time.perf_counter()
        command = [sys.executable, *arguments]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=environment)
        return time.perf_counter() - start

    return case
