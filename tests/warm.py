"""Imported by the fork server: whatever a training process imports, and nothing computed by torch.

A configuration is composed and a figure drawn, for what the first of each imports and reads.
"""

import importlib
import pkgutil

import torch

torch.set_num_threads(1)

import alembic.command  # noqa: E402, F401
import contourpy  # noqa: E402, F401
import optuna.storages._rdb.models  # noqa: E402, F401
import PIL.ImageFilter  # noqa: E402, F401
import sklearn.datasets  # noqa: E402, F401
import sklearn.svm  # noqa: E402, F401
import tensorboard.plugins.hparams.api_pb2  # noqa: E402, F401
import tensorboard.plugins.hparams.metadata  # noqa: E402, F401
import torch.utils.tensorboard  # noqa: E402, F401
from matplotlib.figure import Figure  # noqa: E402

import zoo.figures  # noqa: E402
import zoo.registry  # noqa: E402
from zoo.config.compose import load  # noqa: E402

for module in pkgutil.walk_packages(zoo.__path__, "zoo."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("zoo"):
            raise  # else an extra that is not installed, such as lm_eval
zoo.registry.OPTIMIZERS.build({"name": "muon"}, model=torch.nn.Sequential(torch.nn.Linear(2, 2)))
load(["experiment=mlp_rain", "model.width=8", "data.samples=60", "optim.lr=0.1"])
zoo.figures.render(Figure().subplots().figure)
