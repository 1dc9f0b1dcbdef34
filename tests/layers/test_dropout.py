"""Dropout: the fraction that is zeroed, the scale of the rest, and its gradients."""

import pytest
import torch

from zoo.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_zeroes_a_fraction_and_keeps_the_mean(p):
    torch.manual_seed(0)
    layer, count = Dropout(p), 200_001  # no multiple of eight
    y = layer(torch.ones(count))
    kept = y != 0
    rate = 1 - round(p * 256) / 256
    error = 5 * (rate * (1 - rate) / count) ** 0.5
    assert abs(float(kept.float().mean()) - rate) < error
    assert abs(rate - (1 - p)) <= 1 / 512
    torch.testing.assert_close(y[kept], torch.full_like(y[kept], 1 / rate))
    # neighbours, eight of which come of one random number, are independent
    pairs = (kept[:-1] & kept[1:]).float().mean()
    assert abs(float(pairs) - rate**2) < 2 * error
    bytes_apart = kept[: count // 8 * 8].view(-1, 8).float().mean(0)
    assert ((bytes_apart - rate).abs() < 3 * error).all()


def test_gradients_pass_where_values_do():
    torch.manual_seed(0)
    x = torch.randn(40, 5, requires_grad=True)
    y = Dropout(0.4)(x)
    y.sum().backward()
    scale = 256 / (256 - round(0.4 * 256))
    torch.testing.assert_close(x.grad, (y != 0).float() * scale)


def test_nothing_happens_in_evaluation_or_at_zero():
    x = torch.randn(10)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert (Dropout(1.0)(x) == 0).all()


def test_follows_the_seed_and_the_type():
    layer, x = Dropout(0.5), torch.randn(3, 7)
    y = [(torch.manual_seed(seed), layer(x))[1] for seed in (1, 1, 2)]
    assert torch.equal(y[0], y[1]) and not torch.equal(y[0], y[2])
    for dtype in (torch.bfloat16, torch.float64):
        assert layer(x.to(dtype)).dtype == dtype
