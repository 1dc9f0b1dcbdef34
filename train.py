"""Train a model of the zoo: python train.py experiment=cnn_digits optim.lr=3e-3."""

import sys

from zoo.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
