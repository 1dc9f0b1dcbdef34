"""Dropout; `zoo.kernels.dropout` computes it."""

from torch import Tensor, nn

from zoo.kernels import dropout


class Dropout(nn.Dropout):
    """While training, zeroes elements with probability p and scales up the others.

    Srivastava et al., 2014, https://jmlr.org/papers/v15/srivastava14a.html.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(...) to (...)."""
        return dropout(x, self.p) if self.training and self.p > 0 else x
