"""Bits per byte of xz on held-out text: python scripts/compression.py; see --help."""

import sys

import _path  # noqa: F401

from benchmarks.compression import main
from zoo.errors import report

if __name__ == "__main__":
    sys.exit(report(main))
