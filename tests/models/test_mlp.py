"""The MLP against its equations, written out in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.errors import UserError
from zoo.models.mlp import MLP
from zoo.registry import MODELS

BY_HAND = {
    "relu": lambda x: x.clamp(min=0),
    "gelu": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(2 * x) - 1) / (torch.exp(2 * x) + 1),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
}


def test_depth_zero_is_a_linear_layer():
    model = MLP((2, 3), 4, depth=0)
    assert sum(p.numel() for p in model.parameters()) == 6 * 4 + 4
    x = torch.randn(5, 2, 3)
    expected = x.flatten(1) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize("activation", BY_HAND)
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_equals_its_equations(activation, norm):
    torch.manual_seed(0)
    model = MLP((3, 4), 5, width=7, depth=2, activation=activation, norm=norm).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(6, 3, 4, dtype=torch.float64)
    h = x.reshape(6, 12)
    for module in model.hidden:
        if isinstance(module, nn.Linear):
            h = torch.einsum("bi,oi->bo", h, module.weight) + module.bias
            z = h
        elif isinstance(module, nn.BatchNorm1d):  # untrained statistics: mean 0, variance 1
            h = z / (1 + 1e-5) ** 0.5 * module.weight + module.bias
        elif isinstance(module, nn.LayerNorm):
            centred = z - z.mean(1, keepdim=True)
            spread = (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
            h = centred / spread * module.weight + module.bias
        else:
            h = BY_HAND[activation](h)
    expected = h @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)
    kinds = [type(m).__name__ for m in model.hidden]
    assert kinds.count("Linear") == 2 and len(kinds) == (4 if norm == "none" else 6)


def test_dropout_zeroes_a_fraction_while_training_only():
    model = MLP((4,), 2, width=2000, depth=1, dropout=0.25)
    dropout = next(m for m in model.modules() if isinstance(m, nn.Dropout))
    zeroed = (dropout(torch.ones(100_000)) == 0).float().mean()
    assert abs(float(zeroed) - 0.25) < 0.01
    x = torch.randn(8, 4)
    assert torch.equal(model.eval()(x), model(x))


def test_starts_with_nearly_equal_logits():
    logits = MLP((64,), 10, width=256, depth=2)(torch.randn(500, 64))
    loss = F.cross_entropy(logits, torch.arange(500) % 10)
    assert abs(loss.item() - 2.3026) < 0.1


@pytest.mark.parametrize("wrong", [{"activation": "rleu"}, {"norm": "btach"}, {"width": 1.5}])
def test_a_wrong_option_is_named(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        MODELS.build({"name": "mlp", **wrong}, input_shape=(4,), num_outputs=2)
