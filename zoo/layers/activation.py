"""Activation functions by name."""

from typing import Literal

from torch import nn

ActivationName = Literal["relu", "gelu", "silu", "tanh", "sigmoid", "leaky_relu"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
}


def make_activation(name: ActivationName) -> nn.Module:
    """The activation function of that name, as a module."""
    return _ACTIVATIONS[name]()
