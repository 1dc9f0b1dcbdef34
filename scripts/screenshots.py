"""The documentation's pictures of TensorBoard: python scripts/screenshots.py; see --help."""

import sys

import _path  # noqa: F401

from docs.tools.screenshots import main

if __name__ == "__main__":
    sys.exit(main())
