"""Image files to byte tensors, with Pillow; what is wrong with a file is said, not guessed at."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.paths import not_found
from zoo.errors import UserError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
MAX_PIXELS = 100_000_000


class BrokenImage(UserError):
    """A file that cannot be used as an image: `path` and `reason`."""

    def __init__(self, path: Path | str, reason: str | None = None) -> None:
        if reason is None:  # a DataLoader raises a worker's error anew, from its traceback
            line = str(path).strip().rsplit("\n", 1)[-1]
            path, _, reason = line.split("BrokenImage: ", 1)[-1].rpartition(": ")
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = Path(path), reason


def is_image(path: Path) -> bool:
    """Whether a file counts as an image: by its extension, and not hidden (`._x.jpg`)."""
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".")


def find_images(path: Path) -> list[Path]:
    """`path` itself, or all images under it, sorted.

    Raises:
        UserError: Nothing lies there (with the nearest name that does), or no image.
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
    """Read the header alone: is it an image, and not larger than `max_pixels`?

    Raises:
        BrokenImage: It is not.
    """
    _open(path, max_pixels).close()


def decode(
    path: Path, channels: int, size: tuple[int, int], resize: str, max_pixels: int = MAX_PIXELS
) -> Tensor:
    """An image file as uint8 (C, H, W).

    Args:
        path: The file; the first frame of an animation is taken.
        channels: 3 for RGB, 1 for grey (transparent parts become black).
        size: Height and width of the result, pixels.
        resize: "crop" scales the image to cover the size and cuts the middle out; "squash" scales
            both axes to the size.
        max_pixels: A larger image is refused before it is decoded (a decompression bomb).

    Raises:
        BrokenImage: It cannot be decoded.
    """
    with _open(path, max_pixels) as opened:
        try:
            opened.draft(None, (2 * max(size), 2 * max(size)))  # JPEG: decode at a lower scale
            return fit(opened, channels, size, resize)
        except Exception as error:  # Pillow's decoders raise nearly every type
            raise BrokenImage(path, _reason(error)) from error


def fit(opened, channels: int, size: tuple[int, int], resize: str) -> Tensor:
    """An image of Pillow's as uint8 (C, H, W); arguments as for `decode`."""
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


def _open(path: Path, max_pixels: int):  # -> PIL.Image.Image, imported late
    from PIL import Image

    try:
        if path.stat().st_size == 0:
            raise BrokenImage(path, "0 bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning; ours is exact
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


def _to_mode(image, channels: int):  # PIL.Image.Image -> PIL.Image.Image
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
        return "not an image that Pillow knows"
    if "truncated" in text.lower():
        return f"truncated ({text})"
    if isinstance(error, PermissionError):
        return "not readable: permission denied"
    return text.splitlines()[0] if text else type(error).__name__
