"""Models, data and experiments, with results: python scripts/list.py [models|data|experiments]."""

import sys

import _path  # noqa: F401

from zoo.commands.list import main

if __name__ == "__main__":
    sys.exit(main())
