"""MLP: fully connected layers with a non-linearity after each.

Rumelhart, Hinton and Williams, 1986, https://doi.org/10.1038/323533a0. With depth 0 it is a
single neuron per output, the perceptron (Rosenblatt, 1958, https://doi.org/10.1037/h0042519) with
a smooth loss: a linear model, whose decision boundary is a straight line.
Differs from the paper: optional normalisation and dropout; He or Xavier initialisation.
Shapes: B batch, F features of one sample (the product of its dimensions), W width, O outputs.
"""

import math
from typing import Literal

from torch import Tensor, nn

from zoo.bounds import Fraction, Natural, Positive
from zoo.layers.activation import ActivationName, make_activation
from zoo.registry import MODELS

NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


@MODELS.register(
    "mlp", task="classification", tiny=dict(input_shape=(4,), num_outputs=3, width=8, depth=1)
)
class MLP(nn.Module):
    """A stack of `depth` hidden layers and a linear head.

    Args:
        input_shape: Shape of one sample; flattened.
        num_outputs: O: number of classes, or of values to predict.
        width: Neurons in each hidden layer.
        depth: Number of hidden layers; 0 for a linear model.
        activation: Non-linearity after each hidden layer.
        norm: Normalisation before the activation.
        dropout: Probability of zeroing a hidden neuron while training.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_outputs: int,
        width: Positive = 128,
        depth: Natural = 2,
        activation: ActivationName = "relu",
        norm: Literal["none", "batch", "layer"] = "none",
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        features = math.prod(input_shape)
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers.append(nn.Linear(features, width))
            if norm != "none":
                layers.append(NORMS[norm](width))
            layers.append(make_activation(activation))
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
            features = width
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(features, num_outputs)
        self._initialise(activation)

    def _initialise(self, activation: ActivationName) -> None:
        """He et al., 2015, arXiv:1502.01852; for tanh and sigmoid Glorot and Bengio, 2010."""
        for linear in (m for m in self.hidden if isinstance(m, nn.Linear)):
            if activation in ("tanh", "sigmoid"):
                nn.init.xavier_normal_(linear.weight)
            else:
                nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
        nn.init.normal_(self.head.weight, std=0.01)  # nearly equal logits at the start
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) to (B, O)."""
        return self.head(self.hidden(x.flatten(1)))  # (B, F) -> (B, W) -> (B, O)
