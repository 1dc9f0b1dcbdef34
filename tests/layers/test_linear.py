"""The linear layer equals torch's, with and without bias, for inputs of any shape."""

import pytest
import torch
from torch import nn

from zoo.layers.linear import Linear


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_equals_torchs(shape, bias):
    layer, expected = Linear(5, 4, bias=bias).double(), nn.Linear(5, 4, bias=bias).double()
    expected.load_state_dict(layer.state_dict())
    x = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(layer(x), expected(x))
