"""`python scripts/compare.py ...` and `zoo compare ...`: runs ranked, or decided by more seeds."""

import argparse

from zoo.compare import main as ranking


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return ranking.main(argv, _decide)


def _decide(arguments: argparse.Namespace) -> int:
    from zoo.commands.decide_report import decide  # sweeps, and Hydra with them

    return decide(arguments)
