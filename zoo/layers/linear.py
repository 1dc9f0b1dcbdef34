"""Linear layer; `zoo.kernels.linear` computes it."""

from torch import Tensor, nn

from zoo.kernels import linear


class Linear(nn.Linear):
    """x W^T + b, with I inputs and O outputs."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        return linear(x, self.weight, self.bias)
