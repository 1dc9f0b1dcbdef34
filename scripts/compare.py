"""Compare runs: python scripts/compare.py outputs/...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.compare import main

if __name__ == "__main__":
    sys.exit(main())
