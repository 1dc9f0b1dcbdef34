"""Images of more than 8 bits: which of their values become 0..255.

Files of 16 bits often hold 12, and floats 0..1 as well as 0..255. The range is that of the values
that there are, widened to the usual one around them; a run keeps it, so that a value means the
same in training, evaluation and prediction.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

Levels = tuple[float, float]  # read as black, and (the first value beyond) white

WHOLE = tuple((0.0, 2.0**bits) for bits in (8, 10, 12, 14, 16))
FLOATS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 256.0), (0.0, 65536.0))
LEAST = 1 / 8  # of a usual range that values must span; otherwise their own range is taken


def levels_of(ranges: Iterable[tuple[float, float, bool]]) -> Levels | None:
    """The levels for files with these values; None without files.

    Args:
        ranges: Least and greatest value of each file, and whether they are floats.
    """
    ranges = list(ranges)
    if not ranges:
        return None
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    usual = FLOATS if any(r[2] for r in ranges) else WHOLE
    for black, white in usual:
        is_inside = black <= low and (high < white or (white == 1 and high <= white))
        if is_inside and (low == high or high - low >= LEAST * (white - black)):
            return black, white
    return (low, high) if low < high else (min(low, 0.0), max(high, 0.0))


def levels_for(found: tuple[float, float, bool], levels: Levels | None) -> Levels:
    """The run's levels, or those of a file with these values (as `levels_of`) where the run has
    none for it: levels of whole numbers say nothing of floats."""
    if levels is None or (found[2] and levels == WHOLE[-1]):
        levels = levels_of([found])
    assert levels is not None
    return levels


def describe(levels: Levels) -> str:
    """`0..4095`: the first and the last value."""
    low, high = levels
    is_whole = levels in WHOLE or levels in FLOATS[2:]
    return f"{low:.7g}..{high - 1 if is_whole else high:.7g}"


def value_range(values: Any) -> tuple[float, float, bool]:
    """Least and greatest finite value of an array, and whether it holds floats.

    Raises:
        ValueError: None is finite.
    """
    import numpy as np

    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ValueError("no value is a finite number")
    return float(finite.min()), float(finite.max()), values.dtype.kind == "f"


def all_finite(values: Any) -> bool:
    """Whether an array has no NaN and no infinity."""
    import numpy as np

    return bool(np.isfinite(values).all())


def to_bytes(values: Any, levels: Levels) -> Any:
    """Values as uint8: equal steps of the levels, as a shift of bits for whole numbers.

    What lies beyond is black or white, and what is no number black.
    """
    import numpy as np

    low, high = levels
    scaled = np.floor((values.astype(np.float64) - low) * (256 / (high - low)))
    return np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255).astype(np.uint8)


def deep_values(image: "Image", path: Path | None) -> Any:
    """The values of an image of more than 8 bits: (H, W), (H, W, 3), or (H, W, 4) with opacity;
    None for any other.

    Pillow reads 16-bit grey as it is, and of 16-bit colours the upper byte; the lower one is read
    from the file by a second look, which of grey with opacity Pillow does not offer.

    Args:
        image: As opened.
        path: Its file, if it has one.
    """
    import numpy as np

    if image.mode == "F" or image.mode == "I" or image.mode.startswith("I;16"):
        return np.asarray(image)
    if path is None or not (raw := _deep_colours(image)):
        return None
    from PIL import Image as pillow

    with pillow.open(path) as again:
        lower = raw[:-1] + ("L" if raw.endswith("B") else "B")  # the other byte of each two
        again.tile = [
            tile._replace(args=(lower, *tile.args[1:]) if isinstance(tile.args, tuple) else lower)
            for tile in again.tile
        ]
        low = np.asarray(again)
    return np.asarray(image).astype(np.uint16) << 8 | low


def is_deep(image: "Image") -> bool:
    """Whether an image, not yet loaded, has more than 8 bits."""
    return image.mode in ("F", "I") or image.mode.startswith("I;16") or bool(_deep_colours(image))


def _deep_colours(image: "Image") -> str | None:
    """How 16-bit colours lie in the file (`RGB;16B`); None for other files."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return None
    args = tiles[0].args
    raw = args if isinstance(args, str) else args[0] if isinstance(args, tuple) and args else ""
    if not isinstance(raw, str):
        return None
    colours, _, order = raw.partition(";16")
    return raw if colours in ("RGB", "RGBA") and order in ("B", "L", "N") else None
