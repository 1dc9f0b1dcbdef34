"""Word vectors for other programs: python scripts/export_vectors.py run=outputs/...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.export_vectors import main

if __name__ == "__main__":
    sys.exit(main())
