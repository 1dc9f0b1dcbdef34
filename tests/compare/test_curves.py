"""Learning curves as lines of a plot."""

import pytest
from matplotlib.figure import Figure

from zoo.compare.curves import draw_line, label_axes

CURVES = [{10: 1.0, 20: 0.5, 30: 9.0}, {10: 3.0, 20: 0.5}]


def test_the_line_is_the_mean_at_common_steps_and_the_band_one_deviation():
    axes = Figure().subplots()
    draw_line(axes, CURVES)
    assert axes.lines[0].get_xydata().tolist() == [[10, 2.0], [20, 0.5]]
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.5, 2 + 2**0.5))


def test_one_curve_has_no_band():
    axes = Figure().subplots()
    draw_line(axes, CURVES[:1])
    assert not axes.collections


@pytest.mark.parametrize(
    ("metric", "value", "scale"),
    [("val/loss", 0.1, "log"), ("val/loss", 0.0, "linear"), ("val/accuracy", 0.1, "linear")],
)
def test_positive_losses_get_a_logarithmic_axis(metric, value, scale):
    axes = Figure().subplots()
    label_axes(axes, {"a": [{1: value}]}, metric)
    assert axes.get_yscale() == scale and axes.get_ylabel() == metric
