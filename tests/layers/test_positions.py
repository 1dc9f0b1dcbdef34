"""Positions: the sinusoids' formula, and what rotation keeps and what it tells."""

import math

import pytest
import torch

from zoo.layers.positions import Rotary, Sinusoidal, rotate, sinusoids
from zoo.registry import MODELS


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(50, 10)
    for t in (0, 1, 7, 49):
        for i in range(5):
            angle = t / 10_000 ** (2 * i / 10)
            assert table[t, i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[t, 5 + i] == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(4, 7).shape == (4, 7)


def test_sinusoidal_positions_start_where_they_are_told():
    layer = Sinusoidal(9, 6)
    x = torch.randn(2, 9, 6)
    whole = layer(x)
    torch.testing.assert_close(whole - x, layer.table.expand(2, -1, -1), rtol=0, atol=1e-6)
    torch.testing.assert_close(layer(x[:, 4:7], 4), whole[:, 4:7])
    assert not layer.state_dict()  # nothing to learn, nothing to save


def test_rotation_turns_each_pair_by_its_angle():
    rotary = Rotary(20, 6).double()
    x = torch.randn(1, 2, 20, 6, dtype=torch.float64)
    found = rotate(x, rotary(0, 20))
    for t in (0, 3, 19):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            turn = complex(math.cos(angle), math.sin(angle))
            for h in range(2):
                expected = complex(x[0, h, t, i], x[0, h, t, i + 3]) * turn
                got = complex(found[0, h, t, i], found[0, h, t, i + 3])
                assert got == pytest.approx(expected, abs=1e-5)


def test_products_know_only_the_distance():
    rotary = Rotary(64, 8).double()
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    turned_q = rotate(q.expand(1, 1, 64, 8), rotary(0, 64))[0, 0]
    turned_k = rotate(k.expand(1, 1, 64, 8), rotary(0, 64))[0, 0]
    products = turned_q @ turned_k.T  # (64, 64)
    for distance in (0, 1, 5, 40):
        along = products.diagonal(-distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-5)
    assert products[5, 0] != pytest.approx(float(products[6, 0]), abs=1e-3)
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm().expand(64), rtol=1e-6, atol=0)


def test_a_later_start_and_an_odd_width():
    rotary = Rotary(10, 4)
    for one, whole in zip(rotary(6, 3), rotary(0, 10), strict=True):
        assert torch.equal(one, whole[6:9])
    with pytest.raises(ValueError, match="even head width, got 5"):
        Rotary(10, 5)


@pytest.mark.parametrize("name", ["bert", "transformer"])
def test_models_turn_by_the_base_that_they_are_given(name):
    tiny = MODELS[name].tests["tiny"]
    model = MODELS.build({"name": name, **tiny, "positions": "rotary", "rotary_base": 10.0})
    cos, sin = model.rotary(0, 8)  # width 16, 2 heads: 8 numbers a head, 4 turns
    angles = torch.arange(8)[:, None] * 10.0 ** (-torch.arange(4) / 4)
    torch.testing.assert_close(cos, torch.cat([angles.cos(), angles.cos()], dim=1))
    torch.testing.assert_close(sin, torch.cat([-angles.sin(), angles.sin()], dim=1))
