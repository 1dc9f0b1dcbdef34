"""N-gram counts at masked tokens: python scripts/masked_baselines.py; see --help."""

import sys

import _path  # noqa: F401

from benchmarks.masked_baselines import main
from zoo.errors import report

if __name__ == "__main__":
    sys.exit(report(main))
