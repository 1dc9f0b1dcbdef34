"""Figures as PNG: names as they are written, in fonts that have their characters."""

import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from zoo.figures import drawable, render
from zoo.tasks.plots.predictions import confusion, predicted_vs_true

FORMULAS = ("$\\frac$", "$x_{$", "a$b$", "$", "100%", "_x_", "\\n", "{", "^", "\udcff", "a\tb", "")


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(render(figure)[0])))


def figure_of(text):
    """A text as title, label, tick, legend and annotation."""
    figure = Figure(figsize=(4, 3), layout="constrained")
    figure.suptitle(text)
    axes = figure.subplots()
    axes.plot([1, 2], [1, 1000], label=f"of {text}")
    axes.set_xticks([1, 2], [text, "b"])
    axes.set_yscale("log")
    axes.set(xlabel=text, title=text)
    axes.text(1.5, 10, text)
    axes.legend()
    return figure


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula(text):
    assert render(figure_of(text))[0][:4] == b"\x89PNG"
    assert render(confusion(torch.eye(2).long(), [text, "b"]))[0]


def test_a_name_is_drawn_as_it_is_written_and_powers_of_ten_as_formulas():
    figure = figure_of("$x_2$")
    drawn = pixels(figure)
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert shown == ["$x_2$", "b"] and not (drawn == 255).all()
    powers = [label for label in figure.axes[0].get_yticklabels() if "10" in label.get_text()]
    assert powers and all("^{" in label.get_text() and label.get_parse_math() for label in powers)


def test_a_character_is_drawn_in_a_font_that_has_it():
    """U+20DD is in STIX, which comes with matplotlib, and not in its default font."""
    figure = figure_of("a\u20dd \u1d81")
    _, note = render(figure)
    assert note is None
    assert any("STIX" in name for name in figure.axes[0].title.get_fontfamily())


def test_without_a_font_codes_are_drawn_and_said_once(recwarn):
    figure = figure_of("\U00104a00 \U00104a01\U00104a02\U00104a03")
    _, note = render(figure)
    assert "no font of this machine has \U00104a00 \U00104a01" in note
    assert figure.axes[0].title.get_text() == "\\u104a00 \\u104a01\\u104a02…"
    assert figure.axes[0].get_xticklabels()[0].get_text().startswith("\\u104a00")
    assert len(recwarn) == 0
    assert drawable("猫a\u200d\x07", frozenset("猫\u200d")) == "\\u732ba "


def test_values_that_are_not_finite_are_left_out_and_counted():
    huge = torch.tensor([[1.0], [2.0], [float("inf")], [float("nan")], [1e38]])
    figure = predicted_vs_true(huge, torch.ones(5, 1))
    assert "2 values that are not finite are not drawn" in figure.get_suptitle()
    assert render(figure)[0] and render(predicted_vs_true(huge[2:4], huge[2:4]))[0]
