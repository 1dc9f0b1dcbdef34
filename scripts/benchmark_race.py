"""Cases by turns, and the ratios within rounds: what benchmark.py and its parts print."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STOLEN = 0.2  # cores that a hypervisor may give to others while a case runs
ENOUGH = 3  # undisturbed rounds, for the others to be left out


def race(cases: dict[str, Callable[[], float]], rounds: int, unit: str) -> dict[str, list[float]]:
    """Run every case once a round, in alternating order, after one round to warm up.

    Rounds in which a virtual machine was denied its cores are left out (Linux tells).

    Args:
        cases: By name, a function that gives its own figure (steps a second, or seconds).
        rounds: How many rounds count.
        unit: Of the figures, for the printout.

    Returns:
        The figures of the rounds that count.
    """
    seen: list[tuple[float, dict[str, float]]] = []
    for k in range(rounds + 1):
        row, stolen = {}, 0.0
        for name in cases if k % 2 else reversed(list(cases)):
            before, start = steal(), time.perf_counter()
            row[name] = cases[name]()
            stolen = max(stolen, (steal() - before) / (time.perf_counter() - start))
        seen.append((stolen, row))
    calm = [row for stolen, row in seen[1:] if stolen <= STOLEN]
    rows = calm if len(calm) >= ENOUGH else [row for _, row in seen[1:]]
    left = f"{rounds - len(rows)} of {rounds} left out" if rows is calm else "none left out"
    if len(calm) < rounds:
        print(f"the machine was taken away in {rounds - len(calm)} rounds; {left}")
    figures = {name: [row[name] for row in rows] for name in cases}
    base = next(iter(cases))
    for name, values in figures.items():
        ratio, low, high = paired(values, figures[base])
        middle = statistics.median(values)
        print(f"{name:36s} {middle:10.2f} {unit}  {ratio:6.3f} of {base} [{low:.3f} to {high:.3f}]")
    return figures


def steal() -> float:
    """Seconds of all cores that went to other machines so far; 0 where nobody tells."""
    try:
        first = Path("/proc/stat").read_text().split("\n", 1)[0]
        return int(first.split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return 0.0


def paired(values: list[float], base: list[float]) -> tuple[float, float, float]:
    """Median, least and greatest of the ratios within a round."""
    ratios = [a / b for a, b in zip(values, base)]
    return statistics.median(ratios), min(ratios), max(ratios)


def process(*arguments: str) -> Callable[[], float]:
    """A case for `race`: seconds of a whole Python process, which keeps what it compiles."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def case() -> float:
        start = time.perf_counter()
        command = [sys.executable, *arguments]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, env=environment)
        return time.perf_counter() - start

    return case
