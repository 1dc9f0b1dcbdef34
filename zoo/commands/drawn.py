"""Drawn images: as one picture, and as files.

Shapes: N images, C channels, H height, W width.
"""

import io
import math
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UserError
from zoo.files import atomic_folder, atomic_write, user_path

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PICTURE = ".png"
OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
SIDE = 64  # pixels of an image in a grid, about, where its own are fewer
MOST_COLUMNS = 20


@dataclass(frozen=True)
class Drawn:
    """Images that a model drew.

    A notebook shows them as a grid.

    Attributes:
        pixels: Uint8 (N, C, H, W).
        classes: The class of each; empty where the model has none.
        columns: Of the grid; None for a column for each class, or a square.
        made: Where the pixels show inputs too, what the model made of these, in their order: a
            folder holds them alone.
    """

    pixels: "Tensor"
    classes: list[str] = field(default_factory=list)
    columns: int | None = None
    made: "Tensor | None" = None

    def __len__(self) -> int:
        return len(self.pixels)

    def grid(self) -> "Image":
        """All in one picture, row by row; small images are enlarged by a whole number."""
        from zoo.tasks.drawing import grid

        canvas = grid(self.pixels, min(len(self), self.columns or self._columns()))
        factor = max(1, SIDE // max(self.pixels.shape[2:]))
        return as_picture(canvas.repeat_interleave(factor, 1).repeat_interleave(factor, 2))

    def _columns(self) -> int:
        """A column for each class where they take turns, or else as many columns as rows."""
        classes = len(dict.fromkeys(self.classes))
        if 1 < classes <= min(MOST_COLUMNS, len(self)):
            return classes
        return math.ceil(math.sqrt(len(self)))

    def save(self, out: str | Path) -> list[dict[str, Any]]:
        """Write a `.png` file with all, or a folder with a file for each, below one for each class.

        Returns:
            The files: `file`, and in a folder its `class`.

        Raises:
            UserError: There is such a file or folder already, or it cannot be made.
        """
        path = free_path(out)
        try:
            if path.suffix.lower() == PICTURE:
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as file:
                    self.grid().save(file, "PNG")
                return [{"file": str(path)}]
            with atomic_folder(path) as folder:
                rows = self._save_each(folder)
            return [{**row, "file": str(path / row["file"])} for row in rows]
        except OSError as error:
            raise UserError(f"out={out} cannot be made: {error.strerror or error}") from None

    def _save_each(self, folder: Path) -> list[dict[str, Any]]:
        images = self.pixels if self.made is None else self.made
        digits = len(str(len(images) - 1))
        names = {name: folder_name(name) for name in dict.fromkeys(self.classes)}
        for name in names.values():
            (folder / name).mkdir()
        rows: list[dict[str, Any]] = []
        for k, image in enumerate(images):
            place = Path(names[self.classes[k]]) if self.classes else Path()
            file = place / f"{k:0{digits}d}{PICTURE}"
            as_picture(image).save(folder / file, "PNG", compress_level=1)
            rows.append({"file": str(file)} | ({"class": self.classes[k]} if self.classes else {}))
        return rows

    def counts(self) -> dict[str, int]:
        """How many of each class."""
        return dict(Counter(self.classes))

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.grid().save(buffer, "PNG")
        return buffer.getvalue()


def free_path(out: str | Path) -> Path:
    """The path of `out=`, where nothing is yet.

    Raises:
        UserError: There is something, or its name is that of a picture of another kind.
    """
    path = user_path(out)
    if path.suffix.lower() in OTHER_PICTURES:
        raise UserError(f"out={out}: expected a name ending in {PICTURE}, or a folder")
    if path.exists():
        raise UserError(f"out={out} exists already; name a file or folder that is not there yet")
    return path


def folder_name(name: str) -> str:
    """The name of a class as one of a folder: what no folder can be called is quoted, and a point
    that would hide it from `data=image_folder`."""
    quoted = name.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C").replace("\0", "%00")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def as_picture(pixels: "Tensor") -> "Image":
    """Uint8 (C, H, W) of one or three channels.

    Raises:
        UserError: It has another number of channels.
    """
    from PIL import Image

    if len(pixels) not in (1, 3):
        raise UserError(f"images of {len(pixels)} channels cannot be shown; expected 1 or 3")
    array = pixels.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[..., 0] if len(pixels) == 1 else array)
