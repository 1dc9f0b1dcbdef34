"""Activations by name, against their formulas."""

import math
from typing import get_args

import pytest
import torch

from zoo.layers.activation import ActivationName, make_activation

X = torch.linspace(-4, 4, 33, dtype=torch.float64)
FORMULAS = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "tanh": torch.tanh,
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
}


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_activation(name):
    assert torch.allclose(make_activation(name)(X), FORMULAS[name](X))
    assert set(FORMULAS) == set(get_args(ActivationName))
