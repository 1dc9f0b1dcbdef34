"""Classical models on the recipes' splits: python scripts/baselines.py; see --help."""

import sys

import _path  # noqa: F401

from benchmarks.baselines import main
from zoo.errors import report

if __name__ == "__main__":
    sys.exit(report(main))
