"""A learning rate for a recipe: python scripts/find_lr.py experiment=...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.find_lr import main

if __name__ == "__main__":
    sys.exit(main())
