"""Learning curves of runs: python scripts/curves.py runs=outputs/...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.curves import main

if __name__ == "__main__":
    sys.exit(main())
