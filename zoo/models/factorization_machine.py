"""Factorization machine: a linear model with a weight for every pair of features, of low rank.

Rendle, 2010, https://doi.org/10.1109/ICDM.2010.127.
    y(x) = w_0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j
A pair's weight is the inner product of two vectors, so it is learnt from all rows that have either
feature: also for pairs that no row has. Computed in time linear in the features (lemma 3.1):
    sum_{i<j} <v_i, v_j> x_i x_j = 1/2 sum_f [ (sum_i v_if x_i)^2 - sum_i v_if^2 x_i^2 ]
Differs from the paper: K outputs, each with vectors of its own, for classes; no regularisation of
its own (`optim.weight_decay`).
Shapes: B batch, F features, D rank of the pairs' weights, O outputs.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Positive
from zoo.registry import MODELS


@MODELS.register(
    "factorization_machine",
    task="classification",
    tiny=dict(input_shape=(4,), num_outputs=3, rank=2),
)
class FactorizationMachine(nn.Module):
    """A model of degree 2; with rank F, the pairs can have any weights.

    Args:
        input_shape: Shape of one sample; flattened. A table's categories are features of 0 and 1.
        num_outputs: O: number of classes, or of values to predict.
        rank: D.
    """

    def __init__(self, input_shape: tuple[int, ...], num_outputs: int, rank: Positive = 8) -> None:
        super().__init__()
        features = math.prod(input_shape)
        self.vectors = nn.Parameter(0.1 * torch.randn(num_outputs, rank, features))
        self.head = nn.Linear(features, num_outputs)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *input_shape) to (B, O)."""
        x = x.flatten(1)  # (B, F)
        outputs, rank, _ = self.vectors.shape
        sums = F.linear(x, self.vectors.flatten(0, 1)).unflatten(1, (outputs, rank))  # (B, O, D)
        squares = F.linear(x.square(), self.vectors.square().sum(1))  # (B, O)
        return self.head(x) + 0.5 * (sums.square().sum(2) - squares)

    def pair_weights(self) -> Tensor:
        """<v_i, v_j> of every pair of features, (O, F, F)."""
        return self.vectors.mT @ self.vectors
