"""Round numbers on axes."""

import pytest

from zoo.report.axis import linear, logarithmic, named, padded


@pytest.mark.parametrize("ends", [(0, 1), (0.1, 0.13), (1, 123_456), (-5, 5), (3, 3), (0, 0)])
def test_linear_ticks_are_round_and_inside(ends):
    axis = linear(*ends)
    assert axis.low < axis.high and axis.low <= ends[0] and axis.high >= ends[1]
    assert 2 <= len(axis.ticks) <= 7
    assert all(-1e-4 <= axis.place(tick) <= 1.0001 for tick in axis.ticks)
    assert all(len(named(tick)) <= 7 for tick in axis.ticks)


@pytest.mark.parametrize("ends", [(1e-6, 10), (0.2, 0.3), (1, 1e30), (2, 2)])
def test_logarithmic_ticks_are_inside(ends):
    axis = logarithmic(*padded(*ends, True))
    assert 2 <= len(axis.ticks) <= 12
    assert all(-0.01 <= axis.place(tick) <= 1.01 for tick in axis.ticks)
    assert axis.place((axis.low * axis.high) ** 0.5) == pytest.approx(0.5)


def test_names_are_short():
    values = (0.25, 2000, 40_000, 1e-5, 0, 2.5e7)
    assert list(map(named, values)) == ["0.25", "2,000", "40k", "1e-05", "0", "2.5e+07"]
