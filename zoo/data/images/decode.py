"""Image files to byte tensors, with Pillow; a broken file is an error with its reason."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.data.images.levels import (
    Levels,
    all_finite,
    deep_values,
    is_deep,
    levels_for,
    to_bytes,
    value_range,
)
from zoo.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}  # never part of pixels
ORIENTATION = 0x0112  # the EXIF tag
TAIL = 4096  # bytes at the end of a file in which its end mark is looked for


class BrokenImage(UserError):
    """A file that cannot be used as an image: `path` and `reason`."""

    def __init__(self, path: Path | str, reason: str | None = None) -> None:
        if reason is None:  # a DataLoader raises a worker's error again, from its traceback
            line = str(path).strip().rsplit("\n", 1)[-1]
            path, _, reason = line.split("BrokenImage: ", 1)[-1].rpartition(": ")
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = Path(path), reason


def parse_size(size: int | list[int]) -> tuple[int, int]:
    """Height and width, from `data.size`."""
    sides = [size, size] if isinstance(size, int) else list(size)
    if len(sides) != 2 or min(sides) < 1:
        raise UserError(f"data.size={size}: expected pixels, one number or [height, width]")
    if sides[0] * sides[1] > MAX_PIXELS:
        raise UserError(f"data.size={size}: expected at most {MAX_PIXELS:,} pixels in an image")
    return sides[0], sides[1]


@dataclass(frozen=True)
class Facts:
    """What a file has that is to be said: each is counted in a note.

    Attributes:
        reason: Why it cannot be used; None where it can.
        values: Least and greatest value of one of more than 8 bits, and whether they are floats.
        is_deep: Whether it has more than 8 bits.
        has_nan: Whether some of its values are not finite.
        is_animated: Whether it has more frames or pages than the first, which is used.
        is_transparent: Whether parts are transparent, which become black.
    """

    reason: str | None = None
    values: tuple[float, float, bool] | None = None
    is_deep: bool = False
    has_nan: bool = False
    is_animated: bool = False
    is_transparent: bool = False


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height as the header of a file says; None where it cannot be read."""
    try:
        with _open(path, MAX_PIXELS) as image:
            return image.size
    except BrokenImage:
        return None


def check_file(path: Path, max_pixels: int = MAX_PIXELS) -> Facts:
    """Read the header of an image file, and its end; all of it only where the end is unusual.

    Raises:
        BrokenImage: It is no image, larger than `max_pixels`, or not complete.
    """
    with _open(path, max_pixels) as image:
        if not _has_end(path, image.format):
            try:
                image.load()
            except Exception as error:
                raise BrokenImage(path, _reason(error)) from error
        return Facts(is_deep=is_deep(image), is_animated=_is_animated(image))


def decode(
    path: Path,
    channels: int,
    size: tuple[int, int],
    resize: str,
    max_pixels: int = MAX_PIXELS,
    levels: Levels | None = None,
) -> Tensor:
    """An image file as uint8 (C, H, W).

    Args:
        path: The file; of an animation, the first frame is used.
        channels: 3 for RGB, 1 for grey (transparent parts become black).
        size: Height and width of the result, pixels.
        resize: "crop" scales the image to cover the size and crops the centre; "squash" scales
            both axes to the size.
        max_pixels: A larger image is refused before it is decoded (a decompression bomb).
        levels: Values that become 0..255, of images of more than 8 bits; None for those that the
            file's own values suggest.

    Raises:
        BrokenImage: It cannot be decoded.
    """
    return decode_and_look(path, channels, size, resize, max_pixels, levels)[0]


def decode_and_look(
    path: Path,
    channels: int,
    size: tuple[int, int],
    resize: str,
    max_pixels: int = MAX_PIXELS,
    levels: Levels | None = None,
) -> tuple[Tensor, Facts]:
    """As `decode`, and what is to be said of the file."""
    with _open(path, max_pixels) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata
        try:
            image.draft(None, (2 * max(size), 2 * max(size)))  # JPEG: decode at a lower scale
            is_animated = _is_animated(image)
            shallow, facts = _to_eight_bits(image, path, levels)
            tensor = _to_tensor(shallow, channels, size, resize)
        except Exception as error:  # Pillow's decoders raise nearly every type
            raise BrokenImage(path, _reason(error)) from error
    return tensor, replace(facts, is_animated=is_animated)


def convert_and_look(
    opened: "Image",
    channels: int,
    size: tuple[int, int],
    resize: str,
    levels: Levels | None = None,
) -> tuple[Tensor, Facts]:
    """A Pillow image as `decode` gives it, and what is to be said of it."""
    name = getattr(opened, "filename", "")  # of a file: Pillow reads half of 16-bit colours
    path = Path(name) if isinstance(name, str) and name and Path(name).is_file() else None
    shallow, facts = _to_eight_bits(opened, path, levels)
    return _to_tensor(shallow, channels, size, resize), facts


def _to_eight_bits(
    image: "Image", path: Path | None, levels: Levels | None
) -> tuple["Image", Facts]:
    """The image with 8 bits per value, turned as its EXIF says, and what is to be said of it."""
    import numpy as np
    from PIL import Image

    values = deep_values(image, path)
    if values is None:
        return _turned(image), Facts(is_transparent=_is_transparent(image))
    colours = values[..., :3] if values.ndim == 3 else values
    found = value_range(colours)
    pixels = to_bytes(colours, levels_for(found, levels))
    if values.ndim == 3 and values.shape[2] == 4:  # opacity has a range of its own
        opacity = values[..., 3:]
        pixels = np.concatenate(
            [pixels, to_bytes(opacity, levels_for(value_range(opacity), None))], axis=2
        )
    shallow = Image.fromarray(pixels)
    if orientation := image.getexif().get(ORIENTATION):
        shallow.getexif()[ORIENTATION] = orientation
    facts = Facts(None, found, True, not all_finite(values), False, _is_transparent(shallow))
    return _turned(shallow), facts


def _turned(image: "Image") -> "Image":
    """The image turned as its EXIF says; a damaged EXIF says nothing."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # as other programs do: the pixels are whole
        image.load()
        return image


def _to_tensor(image: "Image", channels: int, size: tuple[int, int], resize: str) -> Tensor:
    import numpy as np
    from PIL import Image, ImageOps

    height, width = size
    image = _to_mode(image, channels)
    if image.size != (width, height):
        if resize == "crop":
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        else:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1).contiguous()


def _to_mode(image: "Image", channels: int) -> "Image":
    """To RGB or grey; transparency becomes black."""
    from PIL import Image

    if _has_alpha(image):
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return image.convert("L" if channels == 1 else "RGB")


def _has_alpha(image: "Image") -> bool:
    return image.mode in ALPHA or "transparency" in image.info


def _is_transparent(image: "Image") -> bool:
    """Whether any pixel is transparent, in part or wholly."""
    if not _has_alpha(image):
        return False
    alpha = image if image.mode in ALPHA else image.convert("RGBA")
    return any(alpha.getchannel(alpha.getbands()[-1]).histogram()[:255])


def _is_animated(image: "Image") -> bool:
    """Whether there are more frames or pages; the second picture of a phone's JPEG is none."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _has_end(path: Path, kind: str | None) -> bool:
    """Whether the file ends as one of its kind; a truncated one does not."""
    if kind not in ENDS:
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        return ENDS[kind] in file.read()


def _open(path: Path, max_pixels: int) -> "Image":
    from PIL import Image

    try:
        if path.stat().st_size == 0:
            raise BrokenImage(path, "0 bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own warning; the check below is exact
            image = Image.open(path)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise BrokenImage(path, f"oversized: more than {max_pixels:,} pixels") from error
    except Exception as error:
        raise BrokenImage(path, _reason(error)) from error
    width, height = image.size
    if width * height > max_pixels:
        image.close()
        raise BrokenImage(path, f"oversized: {width}x{height} is more than {max_pixels:,} pixels")
    return image


def _reason(error: Exception) -> str:
    text = str(error)
    if "cannot identify image file" in text:
        return "not an image format that Pillow reads"
    if "truncated" in text.lower():
        return f"truncated ({text})"
    if isinstance(error, PermissionError):
        return "not readable: permission denied"
    return text.splitlines()[0] if text else type(error).__name__
