"""Positions: the formula of sinusoids, and which products rotation leaves equal."""

import math

import pytest
import torch

from zoo.layers.positions import (
    Rotary,
    Sinusoidal,
    add_positions,
    make_absolute,
    make_rotary,
    rotate,
    sinusoids,
)
from zoo.registry import MODELS


def test_sinusoids_are_those_of_the_paper():
    table = sinusoids(50, 10)
    for t in (0, 1, 7, 49):
        for i in range(5):
            angle = t / 10_000 ** (2 * i / 10)
            assert table[t, i] == pytest.approx(math.sin(angle), abs=1e-5)
            assert table[t, 5 + i] == pytest.approx(math.cos(angle), abs=1e-5)
    assert sinusoids(4, 7).shape == (4, 7)


def test_sinusoidal_positions_begin_at_start():
    layer = Sinusoidal(9, 6)
    x = torch.randn(2, 9, 6)
    whole = layer(x)
    torch.testing.assert_close(whole - x, layer.table.expand(2, -1, -1), rtol=0, atol=1e-6)
    torch.testing.assert_close(layer(x[:, 4:7], 4), whole[:, 4:7])
    assert not layer.state_dict()  # nothing to learn, nothing to save


@pytest.mark.parametrize("name", ["learned", "sinusoidal"])
def test_absolute_positions_are_added(name):
    positions, x = make_absolute(name, 9, 6), torch.randn(2, 4, 6)
    table = positions.weight if name == "learned" else positions.table
    torch.testing.assert_close(add_positions(x, positions, 3), x + table[3:7])
    torch.testing.assert_close(add_positions(x, positions), x + table[:4])
    assert make_rotary(name, 9, 6) is None


def test_rotary_positions_are_not_added():
    x = torch.randn(2, 4, 6)
    assert add_positions(x, make_absolute("rotary", 9, 6), 3) is x
    rotary = make_rotary("rotary", 9, 6, base=10.0)
    assert torch.equal(rotary.sin, Rotary(9, 6, base=10.0).sin)


def test_each_pair_is_rotated_by_its_angle():
    rotary = Rotary(20, 6).double()
    x = torch.randn(1, 2, 20, 6, dtype=torch.float64)
    rotated = rotate(x, rotary(0, 20))
    for t in (0, 3, 19):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            rotation = complex(math.cos(angle), math.sin(angle))
            for h in range(2):
                expected = complex(x[0, h, t, i], x[0, h, t, i + 3]) * rotation
                got = complex(rotated[0, h, t, i], rotated[0, h, t, i + 3])
                assert got == pytest.approx(expected, abs=1e-5)


def test_products_depend_on_the_distance_only():
    rotary = Rotary(64, 8).double()
    q, k = torch.randn(2, 1, 1, 1, 8, dtype=torch.float64)
    rotated_q = rotate(q.expand(1, 1, 64, 8), rotary(0, 64))[0, 0]
    rotated_k = rotate(k.expand(1, 1, 64, 8), rotary(0, 64))[0, 0]
    products = rotated_q @ rotated_k.T  # (64, 64)
    for distance in (0, 1, 5, 40):
        along = products.diagonal(-distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-5)
    assert products[5, 0] != pytest.approx(float(products[6, 0]), abs=1e-3)
    torch.testing.assert_close(rotated_q.norm(dim=-1), q.norm().expand(64), rtol=1e-6, atol=0)


def test_a_later_start_and_an_odd_width():
    rotary = Rotary(10, 4)
    for rows, table in zip(rotary(6, 3), rotary(0, 10), strict=True):
        assert torch.equal(rows, table[6:9])
    with pytest.raises(ValueError, match="even head width, got 5"):
        Rotary(10, 5)


@pytest.mark.parametrize("name", ["bert", "transformer"])
def test_models_rotate_by_their_rotary_base(name):
    tiny = MODELS[name].tests["tiny"]
    model = MODELS.build({"name": name, **tiny, "positions": "rotary", "rotary_base": 10.0})
    cos, sin = model.rotary(0, 8)  # width 16, 2 heads: head width 8, 4 angles
    angles = torch.arange(8)[:, None] * 10.0 ** (-torch.arange(4) / 4)
    torch.testing.assert_close(cos, torch.cat([angles.cos(), angles.cos()], dim=1))
    torch.testing.assert_close(sin, torch.cat([-angles.sin(), angles.sin()], dim=1))
