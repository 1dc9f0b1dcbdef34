"""The tables of results: python scripts/results.py runs=outputs; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.results import main
from zoo.errors import report

if __name__ == "__main__":
    sys.exit(report(main))
