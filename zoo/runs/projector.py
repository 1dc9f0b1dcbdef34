"""Points for TensorBoard's PROJECTOR: files in the folder of a run, which its page reads.

projector_config.pbtxt names projector/vectors.tsv (a line of numbers a point), labels.tsv (a line
of columns a point, below their names) and images.png (thumbnails, row by row).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.files import write_text

if TYPE_CHECKING:
    from torch import Tensor

FOLDER, CONFIG = "projector", "projector_config.pbtxt"


def write_points(
    run: Path,
    name: str,
    vectors: "Tensor",
    columns: Mapping[str, Sequence[str]],
    images: "Tensor | None" = None,
) -> None:
    """Write the points of a run, in place of those that it has.

    Args:
        run: The folder of the run's events.
        name: Of the points, in letters.
        vectors: Float (N, D).
        columns: Label of each point, by the column's name; the first is shown, the page colours by
            any of up to 50 values.
        images: Thumbnails, uint8 (N, H, W, 3); None for dots.
    """
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    rows = ("\t".join(map("{:.4g}".format, row)) for row in vectors.tolist())
    write_text(folder / "vectors.tsv", "".join(f"{row}\n" for row in rows))
    write_text(folder / "labels.tsv", _table(columns))
    lines = [
        f'tensor_name: "{name}"',
        f"tensor_shape: [{len(vectors)}, {vectors.shape[1]}]",
        f'tensor_path: "{FOLDER}/vectors.tsv"',
        f'metadata_path: "{FOLDER}/labels.tsv"',
    ]
    if images is not None:
        height, width = images.shape[1:3]
        _write_sheet(folder / "images.png", images)
        place = f'image_path: "{FOLDER}/images.png" single_image_dim: [{width}, {height}]'
        lines.append(f"sprite {{ {place} }}")
    body = "".join(f"  {line}\n" for line in lines)
    write_text(run / CONFIG, f"embeddings {{\n{body}}}\n")


def _table(columns: Mapping[str, Sequence[str]]) -> str:
    """Lines of cells. The page takes a first line for names only where it has two or more."""
    head = ["\t".join(columns)] if len(columns) > 1 else []
    lines = ["\t".join(map(_cell, row)) for row in zip(*columns.values(), strict=True)]
    return "".join(f"{line}\n" for line in head + lines)


def _cell(text: str) -> str:
    """A label without what ends a cell or a line; never empty, as the page skips empty lines."""
    visible = "".join(c if c.isprintable() else " " for c in text)  # half a character is not
    return " ".join(visible.split()) or "(empty)"


def _write_sheet(path: Path, images: "Tensor") -> None:
    """All thumbnails on one square sheet."""
    import io

    import torch
    from PIL import Image

    from zoo.files import atomic_write

    number, height, width, _ = images.shape
    side = max(1, int((number - 1) ** 0.5) + 1)
    blank = images.new_zeros(side * side - number, height, width, 3)
    grid = torch.cat([images, blank]).view(side, side, height, width, 3).transpose(1, 2)
    sheet = Image.fromarray(grid.reshape(side * height, side * width, 3).numpy())
    file = io.BytesIO()
    sheet.quantize(256, Image.Quantize.FASTOCTREE).save(file, "PNG")
    with atomic_write(path) as out:
        out.write(file.getvalue())
