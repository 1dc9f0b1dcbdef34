"""Characters drawn from fonts: on one baseline, each once, none in place of another."""

import unicodedata

import pytest
import torch
from matplotlib.ft2font import FT2Font

from zoo.data.images import fonts
from zoo.errors import UserError

SIZE = 24
BASELINE = 18  # the first row below the letters


def font_named(name):
    return next(file for file in fonts.font_files() if file.stem == name)


@pytest.fixture(scope="module")
def sans():
    return FT2Font(str(font_named("DejaVuSans")))


def rows_of(picture):
    """The first and the last row with ink."""
    inked = picture.any(1).nonzero()[0]
    return int(inked[0]), int(inked[-1])


def test_letters_stand_on_one_baseline(sans):
    tops = {c: rows_of(fonts.draw(sans, ord(c), SIZE)) for c in "Axg,'"}
    assert tops["A"][1] == tops["x"][1] == BASELINE - 1
    assert tops["g"][1] > BASELINE and tops[","][1] >= BASELINE
    assert tops["'"][1] < BASELINE // 2 + 2 and tops["A"][0] < tops["x"][0]


def test_a_character_that_is_too_wide_is_drawn_smaller_and_whole(sans):
    wide = next(c for c in sans.get_charmap() if unicodedata.name(chr(c), "") == "EM DASH")
    for code in (wide, 0xFDFA if 0xFDFA in sans.get_charmap() else wide, ord("W")):
        picture = fonts.draw(sans, code, 8)
        assert picture.any() and picture.shape == (8, 8)


def test_pictures_repeat_exactly(sans):
    first = fonts.draw(sans, ord("é"), SIZE)
    fonts.draw(sans, ord("W"), 12)  # another size in between leaves nothing behind
    assert (fonts.draw(sans, ord("é"), SIZE) == first).all()


@pytest.fixture
def two_fonts(monkeypatch):
    """Two small faces in place of sixteen."""
    files = [font_named("STIXGeneralItalic"), font_named("STIXGeneralBolIta")]
    monkeypatch.setattr(fonts, "font_files", lambda: files)
    return files


def test_each_named_character_is_there_and_each_picture_once(two_fonts, tmp_path, monkeypatch):
    glyphs = fonts.load_glyphs(str(tmp_path), SIZE)
    pairs = [(int(c), bytes(i.numpy())) for c, i in zip(glyphs.codes, glyphs.images)]
    assert len(set(pairs)) == len(pairs) and glyphs.images.flatten(1).any(1).all()
    expected = set().union(*(FT2Font(str(file)).get_charmap() for file in two_fonts))
    blank = expected - {code for code, _ in pairs}
    assert all(chr(c).isspace() or unicodedata.category(chr(c))[0] in "CZ" for c in blank)
    monkeypatch.setattr(fonts, "_draw_all", lambda size: pytest.fail("drawn again"))
    again = fonts.load_glyphs(str(tmp_path), SIZE)
    assert torch.equal(again.images, glyphs.images) and torch.equal(again.codes, glyphs.codes)


def test_a_damaged_cache_is_drawn_again(two_fonts, tmp_path):
    glyphs = fonts.load_glyphs(str(tmp_path), 12)
    (cache,) = (tmp_path / "images").iterdir()
    content = bytearray(cache.read_bytes())
    content[-1000] ^= 255
    cache.write_bytes(content)
    assert torch.equal(fonts.load_glyphs(str(tmp_path), 12).images, glyphs.images)


def test_fonts_of_other_numberings_are_left_out():
    names = {file.stem for file in fonts.font_files()}
    assert len(names) == 16 and not any("cm" in n or "Display" in n for n in names)


def test_a_size_that_is_too_small(tmp_path):
    with pytest.raises(UserError, match="data.size=4: expected 8 pixels or more"):
        fonts.load_glyphs(str(tmp_path), 4)
