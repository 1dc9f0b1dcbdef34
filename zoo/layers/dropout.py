"""Dropout, computed by `zoo.kernels.dropout`."""

from torch import Tensor, nn

from zoo.kernels import dropout


class Dropout(nn.Dropout):
    """Zeroes elements while training (Srivastava et al., 2014)."""

    def forward(self, x: Tensor) -> Tensor:
        """(...) to (...)."""
        return dropout(x, self.p) if self.training and self.p > 0 else x
