"""MLP: layers of neurons, each a weighted sum passed through a non-linearity.

Rumelhart, Hinton and Williams, 1986, https://doi.org/10.1038/323533a0. With depth 0 it is the
single neuron (Rosenblatt, 1958, https://doi.org/10.1037/h0042519; here with a smooth loss): a
linear model, which can draw one straight line through its input and no more.
Differs from the paper: normalisation and dropout on request, He or Xavier initialisation.
Shapes: B batch, F features of one sample (its dimensions multiplied), W width, O outputs.
"""

import math
from typing import Literal

from torch import Tensor, nn

from zoo.layers.activation import ActivationName, activation
from zoo.registry import MODELS


class Block(nn.Module):
    """Linear, normalisation, activation, dropout: (B, W_in) to (B, W_out)."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        activation_name: ActivationName,
        norm: Literal["none", "batch", "layer"],
        dropout: float,
    ) -> None:
        super().__init__()
        norms = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
        self.linear = nn.Linear(width_in, width_out)
        self.norm = norms[norm](width_out)
        self.activation = activation(activation_name)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.activation(self.norm(self.linear(x))))


@MODELS.register(
    "mlp", task="classification", tiny=dict(input_shape=(4,), num_outputs=3, width=8, depth=1)
)
class MLP(nn.Module):
    """A stack of `depth` hidden layers and a linear head.

    Args:
        input_shape: Shape of one sample; flattened.
        num_outputs: Classes, or values to predict.
        width: Neurons in each hidden layer.
        depth: Hidden layers; 0 is the single neuron (one per output).
        activation: The non-linearity between layers.
        norm: Normalisation before the activation.
        dropout: Probability of silencing a hidden neuron while training.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: int = 128,
        depth: int = 2,
        activation: ActivationName = "relu",
        norm: Literal["none", "batch", "layer"] = "none",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [math.prod(input_shape)] + [width] * depth
        self.blocks = nn.Sequential(
            *(Block(i, o, activation, norm, dropout) for i, o in zip(widths, widths[1:]))
        )
        self.head = nn.Linear(widths[-1], num_outputs)
        self._initialise(activation)

    def _initialise(self, activation: ActivationName) -> None:
        """He et al., 2015, arXiv:1502.01852; Glorot and Bengio, 2010, for S-shaped functions."""
        for block in self.blocks:
            if activation in ("tanh", "sigmoid"):
                nn.init.xavier_normal_(block.linear.weight)
            else:
                nn.init.kaiming_normal_(block.linear.weight, nonlinearity="relu")
            nn.init.zeros_(block.linear.bias)
        nn.init.xavier_normal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) to (B, O)."""
        return self.head(self.blocks(x.flatten(1)))  # (B, F) -> (B, W) -> (B, O)
