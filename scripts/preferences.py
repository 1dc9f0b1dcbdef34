"""A model's own wrong answers beside the right ones: python scripts/preferences.py; see --help."""

import sys

import _path  # noqa: F401

from zoo.commands.preferences import main

if __name__ == "__main__":
    sys.exit(main())
