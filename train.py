"""Train a model of the zoo: python train.py experiment=cnn_digits optim.lr=3e-3."""

import sys

from zoo.sweep.fork_server import begin

if __name__ == "__main__":
    nursery = begin(sys.argv[1:])  # a sweep's members need torch: its import is the long part

    from zoo.commands.train import train

    sys.exit(train(nursery=nursery))
