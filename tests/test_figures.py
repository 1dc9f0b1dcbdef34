"""Figures as PNG: names as they are written, in fonts that have their characters."""

import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from zoo import figures
from zoo.figures import CARD_PIXELS, drawable, for_tensorboard, render
from zoo.tasks.plots.confusion import confusion
from zoo.tasks.plots.regression import predicted_vs_true

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


def test_of_a_family_the_font_that_draws_the_text_is_asked(monkeypatch):
    """STIX has U+1D81 in its regular font alone, wherever that is in matplotlib's list."""
    from matplotlib.font_manager import fontManager

    for fonts in (fontManager.ttflist, fontManager.ttflist[::-1]):
        monkeypatch.setattr(fontManager, "ttflist", fonts)
        figures._fonts_with.cache_clear()
        assert render(figure_of("\u1d81"))[1] is None


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
    figure = predicted_vs_true(huge, torch.ones(5, 1), torch.ones(1))
    assert "2 values that are not finite are not drawn" in figure.get_suptitle()
    assert render(figure)[0] and render(predicted_vs_true(huge[2:4], huge[2:4], torch.ones(1)))[0]


def test_a_caption_is_inside_the_file():
    picture = Image.open(io.BytesIO(render(figure_of("a"), caption="看：1 < 2")[0]))
    assert picture.text == {"Description": "看：1 < 2"}


def test_thin_strokes_survive_a_shrinking_that_leaves_out_pixels():
    """TensorBoard takes about every second pixel of a card: of lines one pixel wide all or none."""
    width, height = 2 * CARD_PIXELS[0], 2 * CARD_PIXELS[1]
    lines = np.full((height, width, 3), 255, np.uint8)
    lines[:, 40:120:8] = 0  # in even columns
    file = io.BytesIO()
    Image.fromarray(lines).save(file, "PNG")
    shown, size = for_tensorboard(file.getvalue())
    kept = np.asarray(Image.open(io.BytesIO(shown)))[height // 2, 1::2, 0]  # the odd columns
    assert size == (width, height) and (kept[20:60:4] < 215).all() and (kept[80:] > 250).all()
    small = np.full((20, 30, 3), 255, np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).save(file, "PNG")
    assert for_tensorboard(file.getvalue()) == (file.getvalue(), (30, 20))


def test_a_font_installed_after_matplotlib_made_its_list_is_found(monkeypatch):
    from matplotlib import font_manager

    fonts = [f for f in font_manager.fontManager.ttflist if "STIX" not in f.name]
    found = [f.fname for f in font_manager.fontManager.ttflist if f.name == "STIXGeneral"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    figures._fonts_with.cache_clear(), figures._new_fonts.cache_clear()
    try:
        assert render(figure_of("a\u20dd"))[1] is None
    finally:
        figures._fonts_with.cache_clear(), figures._new_fonts.cache_clear()
