"""A trained model for other programs: python scripts/export.py run=outputs/...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.export import main

if __name__ == "__main__":
    sys.exit(main())
