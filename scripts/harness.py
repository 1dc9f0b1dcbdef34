"""A run judged by the LM Evaluation Harness: python scripts/harness.py run=...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.harness import main

if __name__ == "__main__":
    sys.exit(main())
