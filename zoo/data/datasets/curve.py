"""Curve: a function of one number, with noise: how well, and where, does a model follow it?

Generated on -1..1. `sine` is smooth and easy. `step` jumps, where a smooth network can only be
steep. `runge` is the bell 1 / (1 + 25 x^2), at whose ends polynomials through evenly spaced points
swing (Runge, 1901). `weierstrass` is the sum of the first waves of Weierstrass's function (1872),
each half as high and three times as fast as the one before: networks learn the slow ones first
(Rahaman et al., 2019, https://arxiv.org/abs/1806.08734).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from zoo.bounds import NotNegative, Positive
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.dataset import table_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

GRID = 401  # points of the function that is drawn beside a fit
WAVES = 5  # of Weierstrass's function


def _weierstrass(x: Tensor) -> Tensor:
    return torch.stack([0.5**k * (3**k * torch.pi * x).cos() for k in range(WAVES)]).sum(0)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": lambda x: (2 * torch.pi * x).sin(),
    "step": lambda x: torch.where(x < 0, -1.0, 1.0).to(x.dtype),
    "runge": lambda x: 1 / (1 + 25 * x.square()),
    "weierstrass": _weierstrass,
}


@DATASETS.register("curve", uses=("labels",), tiny={"samples": 200})
def curve(
    context: DataContext,
    function: Literal["sine", "step", "runge", "weierstrass"] = "sine",
    samples: Positive = 1000,
    noise: NotNegative = 0.1,
    seed: int = 0,
) -> Dataset:
    """One feature x, the target y = f(x) + noise.

    Args:
        context: The shared settings.
        function: f.
        samples: Points, evenly likely on -1..1.
        noise: Standard deviation of the noise.
        seed: Of the points, not of the training.
    """
    if samples < 20:
        raise UserError(f"data.samples={samples}: expected 20 or more")
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(samples, dtype=torch.float64, generator=generator) - 1
    error = noise * torch.randn(samples, dtype=torch.float64, generator=generator)
    dataset = table_dataset({"x": x}, FUNCTIONS[function](x) + error, "y", None, context)
    grid = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    dataset.facts["true_curve"] = torch.stack([grid, FUNCTIONS[function](grid)], 1).tolist()
    if context.is_new:
        test = context.indices(torch.zeros(samples, dtype=torch.int64))["test"]
        floor = float(error[test].square().mean().sqrt())
        dataset.notes.append(f"test RMSE that noise leaves: {floor:.4f}")
    return dataset
