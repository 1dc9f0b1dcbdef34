"""Imported by the fork server: whatever a training process imports, and nothing computed."""

import torch

torch.set_num_threads(1)

import sklearn.datasets  # noqa: E402, F401
import torch.utils.tensorboard  # noqa: E402, F401

import zoo.session  # noqa: E402, F401
from zoo.registry import DATASETS, MODELS, OPTIMIZERS, TASKS  # noqa: E402

for registry in (DATASETS, MODELS, OPTIMIZERS, TASKS):
    registry.names()
OPTIMIZERS.build({"name": "muon"}, model=torch.nn.Sequential(torch.nn.Linear(2, 2)))
