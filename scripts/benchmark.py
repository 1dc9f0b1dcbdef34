"""Speed compared with alternatives: python scripts/benchmark.py <name> ...; see --help."""

import sys

import _path  # noqa: F401

from benchmarks.command import main
from zoo.errors import report

if __name__ == "__main__":
    sys.exit(report(main))
