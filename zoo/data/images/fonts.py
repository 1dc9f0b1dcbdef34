"""Characters of fonts as pictures: those that matplotlib brings along, drawn by its FreeType.

Outlines are not fitted to the grid of pixels (no hinting), so that only the rounding of grey levels
may differ between versions of FreeType.
Shapes: N pictures, S side of a picture.
"""

import contextlib
import math
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from zoo.data.dataset import fingerprint
from zoo.data.progress import Progress
from zoo.errors import UserError
from zoo.files import atomic_write

VERSION = "1"  # of the cached form
# Twelve faces of DejaVu and four of STIX. The others are numbered as TeX does (cm*), have only
# parts of large signs, or boxes in place of characters (LastResort).
FACES = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "STIXGeneral")
EM, BASELINE = 2 / 3, 3 / 4  # size of the letters and place of their baseline, of a picture's side
LEAST = 8  # pixels of a side


class Glyphs(NamedTuple):
    """Pictures of characters.

    Attributes:
        images: Uint8 (N, 1, S, S), light on dark.
        codes: Code point of each, int64 (N,).
    """

    images: Tensor
    codes: Tensor


def load_glyphs(root: str, size: int) -> Glyphs:
    """All different pictures of each named character, in the order of fonts and of code points.

    A font without a glyph for a character gives no picture of it, nor do blank glyphs. Where fonts
    have one picture of a character in common, as of symbols that have no italics, it counts once.

    Args:
        root: Folder of the cache: drawing takes a few seconds.
        size: S.

    Raises:
        UserError: A size too small to tell characters apart; a matplotlib without fonts.
    """
    if size < LEAST:
        raise UserError(f"data.size={size}: expected {LEAST} pixels or more")
    import matplotlib
    from matplotlib import ft2font

    version = f"{VERSION} {matplotlib.__version__} {ft2font.__freetype_version__}"
    cache = Path(root) / "images" / f"glyphs-{size}.safetensors"
    if (glyphs := _read(cache, version)) is None:
        glyphs = _draw_all(size)
        _write(cache, glyphs, version)
    return glyphs


def font_files() -> list[Path]:
    """The fonts, sorted by name.

    Raises:
        UserError: There are none.
    """
    from matplotlib import get_data_path

    folder = Path(get_data_path()) / "fonts" / "ttf"
    files = [f for f in sorted(folder.glob("*.ttf")) if f.stem.startswith(FACES)]
    files = [f for f in files if "Display" not in f.stem]  # a few ligatures
    if not files:
        raise UserError(
            f"{folder} has no fonts named {', '.join(FACES)}: this matplotlib comes without its "
            "fonts; pip install --force-reinstall matplotlib"
        )
    return files


def _draw_all(size: int) -> Glyphs:
    from matplotlib.ft2font import FT2Font

    drawn: dict[tuple[int, bytes], None] = {}
    files = font_files()
    with Progress("drawing characters", len(files), "fonts") as progress:
        for file in files:
            font = FT2Font(str(file))
            for code, number in sorted(font.get_charmap().items()):
                if number == 0 or not unicodedata.name(chr(code), ""):
                    continue
                picture = draw(font, code, size)
                if picture.any():
                    drawn[code, picture.tobytes()] = None
            progress.update(1)
    pixels = np.frombuffer(b"".join(content for _, content in drawn), np.uint8).copy()
    codes = torch.tensor([code for code, _ in drawn], dtype=torch.int64)
    return Glyphs(torch.from_numpy(pixels).view(-1, 1, size, size), codes)


def draw(font: Any, code: int, size: int) -> np.ndarray:
    """One character, uint8 (S, S): all on one baseline, in the middle; too large ones smaller.

    Args:
        font: A `matplotlib.ft2font.FT2Font`.
        code: The character's code point, which the font has.
        size: S.
    """
    glyph, (left, low, right, high) = _glyph(font, code, size * EM)
    if (extent := max(right - left, high - low)) > size:
        shrunk = size * EM * (size - 2) / extent
        glyph, (left, low, right, high) = _glyph(font, code, shrunk)
    top = min(max(round(size * BASELINE) - high, 0), size - (high - low))
    image = _canvas(size)
    font.draw_glyph_to_bitmap(image, (size - (right - left)) // 2, top, glyph, antialiased=True)
    return np.asarray(image, np.uint8)


def _glyph(font: Any, code: int, em: float) -> tuple[Any, tuple[int, int, int, int]]:
    """A glyph at this size and its box in whole pixels: left, low, right, high."""
    from matplotlib import ft2font

    font.set_size(em, 72)  # points of a seventy-second of an inch: pixels
    flags: Any = getattr(ft2font, "LoadFlags", None)  # from matplotlib 3.10 on
    unhinted = flags.NO_HINTING if flags else vars(ft2font)["LOAD_NO_HINTING"]
    glyph = font.load_char(code, unhinted)
    left, low, right, high = (n / 64 for n in glyph.bbox)
    return glyph, (math.floor(left), math.floor(low), math.ceil(right), math.ceil(high))


def _canvas(size: int) -> Any:
    """What matplotlib draws on: an array from 3.11 on, an object of its own before."""
    import matplotlib
    from matplotlib import ft2font

    if matplotlib.__version_info__ >= (3, 11):
        return np.zeros((size, size), np.uint8)
    return ft2font.FT2Image(size, size)


def _read(cache: Path, version: str) -> Glyphs | None:
    """What was saved by this version; None where it is missing or damaged."""
    from safetensors import safe_open

    try:
        with safe_open(cache, framework="pt") as file:
            meta = file.metadata() or {}
            glyphs = Glyphs(file.get_tensor("images"), file.get_tensor("codes"))
    except Exception:  # damaged in any way: they are drawn again
        return None
    is_whole = meta.get("sha256") == fingerprint(glyphs)
    return glyphs if is_whole and meta.get("version") == version else None


def _write(cache: Path, glyphs: Glyphs, version: str) -> None:
    from safetensors.torch import save

    meta = {"version": version, "sha256": fingerprint(glyphs)}
    with contextlib.suppress(OSError):  # a full or read-only disk: drawn again by the next run
        cache.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(cache) as file:
            file.write(save(glyphs._asdict(), meta))
