"""Predictions of a trained model: python scripts/predict.py run=outputs/... input=photo.png."""

import sys

import _path  # noqa: F401

from zoo.commands.predict import main

if __name__ == "__main__":
    sys.exit(main())
