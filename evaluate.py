"""Evaluate a trained model: python evaluate.py run=outputs/cnn_digits/<date_time>."""

import sys

from zoo.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
