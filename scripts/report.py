"""report.html of a run or a sweep: python scripts/report.py run=outputs/...; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.report import main

if __name__ == "__main__":
    sys.exit(main())
