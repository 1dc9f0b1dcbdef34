"""Figures as PNG: names are drawn as they are written, in a font that has their characters.

Matplotlib reads `$...$` in any text as a formula and stops at one that is wrong, and its own font
has no Chinese, Japanese or Korean. Both are settled here, for every figure that is drawn.
"""

import io
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

REGULAR = 400  # weight that text is drawn in; a bold font has fewer characters
PREFERRED = (  # of several fonts that have a character
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "SimHei",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Noto Sans CJK KR",
    "Arial Unicode MS", "Droid Sans Fallback", "AR PL UMing CN", "Noto Emoji", "Segoe UI Emoji",
    "Symbola", "Unifont",
)  # fmt: skip
CARD_PIXELS = (323, 215)  # where TensorBoard 2.21 shows a picture; as high in any window
MAX_CODES = 2  # of characters without a glyph, of those in a row


def render(figure: Any, dpi: float | None = None, caption: str = "") -> tuple[bytes, str | None]:
    """A matplotlib figure as PNG, and a note if some of its characters have no glyph.

    Args:
        figure: Drawn by no backend yet.
        dpi: Pixels per inch; None for the figure's own.
        caption: Written into the file, as its `Description`.
    """
    import numpy
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    dpi = dpi or figure.get_dpi()
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        for message in ("Glyph .* missing from", "FixedFormatter should only"):
            warnings.filterwarnings("ignore", message)
        note = _make_legible(figure)
        canvas.draw()
    picture = Image.fromarray(numpy.asarray(canvas.buffer_rgba())[..., :3])
    about = PngInfo()
    if caption:
        about.add_itxt("Description", caption)
    file = io.BytesIO()
    picture.save(file, "PNG", dpi=(dpi, dpi), pnginfo=about, compress_level=4)
    return file.getvalue(), note


def for_tensorboard(png: bytes) -> tuple[bytes, tuple[int, int]]:
    """A PNG as TensorBoard should get it, and its width and height.

    A card of TensorBoard shrinks a picture by leaving out rows and columns of pixels, which tears
    thin strokes. Blurring by about half a pixel of the card keeps them whole.
    """
    from PIL import Image, ImageFilter

    picture = Image.open(io.BytesIO(png))
    width, height = picture.size
    shrink = max(width / CARD_PIXELS[0], height / CARD_PIXELS[1])
    if shrink <= 1:
        return png, picture.size
    file = io.BytesIO()
    blurred = picture.convert("RGB").filter(ImageFilter.GaussianBlur(min(0.5 * shrink, 2.0)))
    blurred.save(file, "PNG", compress_level=4)
    return file.getvalue(), picture.size


def _make_legible(figure: Any) -> str | None:
    """Let no text be a formula, and give each a font that has its characters."""
    axes = [axis for a in figure.axes if a.axison for axis in (a.xaxis, a.yaxis)]
    named = [axis for axis in axes if _is_named(axis)]
    of_numbers = {id(t) for axis in axes if axis not in named for t in _tick_texts(axis)}
    texts = [text for text in _texts(figure) if id(text) not in of_numbers]
    ticks = [text for axis in named for text in axis.get_ticklabels()]
    characters = {c for text in [*texts, *ticks] for c in text.get_text() if c != "\n"}
    families, missing = _fonts_with(frozenset(c for c in characters if not c.isascii()))
    for text in [*texts, *ticks]:
        text.set_parse_math(False)
        if families and not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *families])
    for text in texts:
        text.set_text(drawable(text.get_text(), missing))
    for axis in named:
        _rename(axis, missing)
    visible = sorted(c for c in missing if _is_visible(c))
    if not visible:
        return None
    listed = " ".join(visible[:5]) + (" ..." if len(visible) > 5 else "")
    return (
        f"no font of this machine has {listed}: plots show their codes; install one that has, "
        "such as Noto Sans CJK for Chinese"
    )


def _texts(figure: Any) -> Iterator[Any]:
    from matplotlib.text import Text

    yield from figure.findobj(Text)


def _tick_texts(axis: Any) -> Iterator[Any]:
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        yield from (tick.label1, tick.label2)


def _is_named(axis: Any) -> bool:
    """Whether its ticks have names instead of numbers, which may be formulas (10⁻³)."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    kinds = (FixedFormatter, FuncFormatter, StrCategoryFormatter)
    return isinstance(axis.get_major_formatter(), kinds)


def _rename(axis: Any, missing: frozenset[str]) -> None:
    """Names of ticks are set anew whenever an axis is drawn, by its formatter."""
    from matplotlib.ticker import FixedFormatter

    names = [drawable(text.get_text(), missing) for text in axis.get_ticklabels()]
    axis.set_major_formatter(FixedFormatter(names))


def drawable(text: str, missing: frozenset[str]) -> str:
    """The text with codes (`\\u732b`) for characters without a glyph; invisible ones are left out.

    Of several such characters in a row the first few have their codes.
    """
    parts: list[str] = []
    text = "".join(" " if unicodedata.category(c) == "Cc" and c != "\n" else c for c in text)
    for is_missing, group in groupby(text, missing.__contains__):
        characters = list(group)
        if not is_missing:
            parts += characters
            continue
        visible = [c for c in characters if _is_visible(c)]
        parts += [f"\\u{ord(c):04x}" for c in visible[:MAX_CODES]]
        parts += ["…"] if len(visible) > MAX_CODES else []
    return "".join(parts)


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Mn", "Me")


@lru_cache(maxsize=256)
def _fonts_with(characters: frozenset[str]) -> tuple[Sequence[str], frozenset[str]]:
    """Families that have the characters which matplotlib's own font lacks, and those that none has.

    Args:
        characters: Not ASCII.
    """
    from matplotlib.font_manager import findfont, fontManager, get_font

    own = get_font(findfont("DejaVu Sans"))
    rest = {c for c in characters if not own.get_char_index(ord(c))}
    families = _families_with(rest, fontManager.ttflist)
    if any(_is_visible(c) for c in rest):
        families += _families_with(rest, _new_fonts())
    return tuple(families), frozenset(rest)


def _families_with(rest: set[str], fonts: Sequence[Any]) -> list[str]:
    """Families of these fonts that have some of the characters, which are taken from `rest`."""
    from matplotlib.font_manager import get_font

    families = []
    rank = {name: k for k, name in enumerate(PREFERRED)}
    boldest_first = sorted(fonts, key=lambda font: (-abs(font.weight - REGULAR), font.fname))
    upright = {
        font.name: font for font in boldest_first if font.style == "normal"
    }  # the last is taken
    for name in sorted(upright, key=lambda name: (rank.get(name, len(rank)), name)):
        if not rest:
            break
        if "Last Resort" in name or "Color" in name:  # placeholders; bitmaps
            continue
        try:
            font = get_font(upright[name].fname)
            found = {c for c in rest if font.get_char_index(ord(c))}
        except (OSError, RuntimeError):
            continue
        if found:
            families.append(name)
            rest -= found
    return families


@lru_cache(maxsize=1)
def _new_fonts() -> Sequence[Any]:
    """Fonts installed since matplotlib made its list, which it keeps for good; now in the list."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    before = len(fontManager.ttflist)
    for path in sorted(set(findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except (OSError, RuntimeError):
            continue
    return fontManager.ttflist[before:]
