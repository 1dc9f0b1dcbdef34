"""LoRA runs of one base as one: python scripts/merge.py; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.merge import main

if __name__ == "__main__":
    sys.exit(main())
