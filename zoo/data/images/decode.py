"""Image files to byte tensors, with Pillow; a broken file is an error with its reason."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.data.paths import not_found
from zoo.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
MAX_PIXELS = 100_000_000


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
    return sides[0], sides[1]


def is_image(path: Path) -> bool:
    """Whether a file counts as an image: by its extension, and not hidden (`._x.jpg`)."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def find_images(path: Path) -> list[Path]:
    """`path` itself, or all images under it, sorted.

    Raises:
        UserError: No such path (with the nearest name there is), or no image.
    """
    if not path.exists():
        raise not_found(path)
    if path.is_file():
        return [path]
    files = images_under(path)
    if not files:
        kinds = ", ".join(sorted(EXTENSIONS))
        raise UserError(f"{path}: no images in this folder (looked for {kinds})")
    return files


def images_under(folder: Path) -> list[Path]:
    """All images under a folder, at any depth, sorted."""
    return sorted(p for p in folder.rglob("*") if is_image(p) and p.is_file())


def check_header(path: Path, max_pixels: int = MAX_PIXELS) -> None:
    """Read only the header of an image file.

    Raises:
        BrokenImage: It is no image, or larger than `max_pixels`.
    """
    _open(path, max_pixels).close()


def decode(
    path: Path, channels: int, size: tuple[int, int], resize: str, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """An image file as uint8 (C, H, W).

    Args:
        path: The file; of an animation, the first frame is used.
        channels: 3 for RGB, 1 for grey (transparent parts become black).
        size: Height and width of the result, pixels.
        resize: "crop" scales the image to cover the size and crops the centre; "squash" scales
            both axes to the size.
        max_pixels: A larger image is refused before it is decoded (a decompression bomb).

    Raises:
        BrokenImage: It cannot be decoded.
    """
    with _open(path, max_pixels) as image:
        try:
            image.draft(None, (2 * max(size), 2 * max(size)))  # JPEG: decode at a lower scale
            return to_tensor(image, channels, size, resize)
        except Exception as error:  # Pillow's decoders raise nearly every type
            raise BrokenImage(path, _reason(error)) from error


def to_tensor(opened: "Image", channels: int, size: tuple[int, int], resize: str) -> Tensor:
    """A Pillow image as uint8 (C, H, W); arguments as for `decode`."""
    import numpy as np
    from PIL import Image, ImageOps

    height, width = size
    image = _to_mode(ImageOps.exif_transpose(opened), channels)
    if image.size != (width, height):
        if resize == "crop":
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        else:
            image = image.resize((width, height), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1).contiguous()


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


def _to_mode(image: "Image", channels: int) -> "Image":
    """To 8-bit RGB or grey; 16-bit grey keeps its upper 8 bits, transparency becomes black."""
    from PIL import Image

    if image.mode.startswith("I;16") or image.mode == "I":
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return image.convert("L" if channels == 1 else "RGB")


def _reason(error: Exception) -> str:
    text = str(error)
    if "cannot identify image file" in text:
        return "not an image format that Pillow reads"
    if "truncated" in text.lower():
        return f"truncated ({text})"
    if isinstance(error, PermissionError):
        return "not readable: permission denied"
    return text.splitlines()[0] if text else type(error).__name__
