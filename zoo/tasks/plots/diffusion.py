"""What a diffusion model draws: by the number of steps, on the way from noise, in a hidden part.

Shapes: N images, C channels, H height, W width.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.batch import Batch
from zoo.tasks.base import PreviewWriter
from zoo.tasks.denoised import DenoisedImages, half
from zoo.tasks.plots.card import (
    HEIGHT,
    SMALL,
    TOP,
    WIDTH,
    fit,
    new_card,
    new_figure,
    picture,
    width_of,
    write,
)
from zoo.tasks.plots.images import spread

Pictures = tuple[Any, Any]  # a card, and the same at full size
COLUMNS = 10  # images of a card
STEPS = (1, 2, 5, 10, 20, 50)
FILM_STEPS = 10
REPAINT_STEPS, REPAINT_REPEATS, REPAINTED_IMAGES = 20, 2, 8
SEED = 0
GREY = 0.55  # of a hidden part
EVERY = "Each column is one noise, drawn with more and more steps: see how few do."
FROM_NOISE = (
    "Above, what an image is on its way from noise; below, what the model expects in it at that "
    "time: the mean of all images that may have become this, so blurred at first."
)
REPAINTED = "The right half was hidden and drawn twice, to fit the left half."


def diffusion_plots(
    task: DenoisedImages, model: nn.Module, batch: Batch, writer: PreviewWriter
) -> None:
    """All cards of a model in evaluation mode, and of a batch of real images."""
    steps = [number for number in STEPS if number <= task.noising.steps]
    rows = [_draw(task, model, COLUMNS, number) for number in steps]
    labels = [f"{number} step{'s' * (number > 1)}" for number in steps]
    writer.figure("samples", *_rows("Samples by the number of steps", rows, labels), EVERY)
    writer.figure("chain", *_chain(task, model), FROM_NOISE)
    writer.figure("repainted", *_repainted(task, model, batch), REPAINTED)


def samples_frame(task: DenoisedImages, model: nn.Module, writer: PreviewWriter) -> None:
    """A frame of the film: what the same noise becomes."""
    steps = min(FILM_STEPS, task.noising.steps)

    def draw() -> Any:
        drawn = _draw(task, model, 2 * COLUMNS, steps)
        return _rows("What one noise becomes", list(drawn.split(COLUMNS)), [])[0]

    writer.frame("samples_film", draw, "The same noise after each validation.")


def _classes(task: DenoisedImages, number: int) -> Tensor:
    """Classes in turn; zeros where there are none."""
    return torch.arange(number) % max(1, len(task.class_names))


def _draw(task: DenoisedImages, model: nn.Module, number: int, steps: int) -> Tensor:
    """(N, C, H, W), of the same noise each time."""
    generator = torch.Generator().manual_seed(SEED)
    return task.draw(model, _classes(task, number), generator, steps)


def _chain(task: DenoisedImages, model: nn.Module) -> Pictures:
    steps = min(task.steps, task.noising.steps)
    number = min(3, max(1, len(task.class_names)))
    generator = torch.Generator().manual_seed(SEED)
    states = list(task.chain(model, _classes(task, number), generator, steps))
    shown = [states[k] for k in spread(len(states), COLUMNS)]
    rows, labels = [], []
    for k in range(number):
        rows.append(torch.cat([task.to_bytes(state.x[k : k + 1]) for state in shown]))
        rows.append(torch.cat([task.to_bytes(state.expected[k : k + 1]) for state in shown]))
        labels += ["image", "expected"]
    title = f"From noise to images in {steps} steps: their times"
    return _rows(title, rows, labels, [str(state.time) for state in shown])


def _repainted(task: DenoisedImages, model: nn.Module, batch: Batch) -> Pictures:
    some = spread(len(batch["input"]), REPAINTED_IMAGES)
    image = batch["input"][some]
    known = torch.full((len(image),), task.no_class)
    if task.class_names and "target" in batch and task.drop_class == 0:
        known = batch["target"][some]  # a model that was always told the class
    hidden = half(task.shape, "right")
    generator = torch.Generator().manual_seed(SEED)
    options = (min(REPAINT_STEPS, task.noising.steps), REPAINT_REPEATS)
    drawn = [task.repaint(model, image, hidden, known, generator, *options) for _ in range(2)]
    real = task.to_bytes(task.pixels.to_signed(image))
    shown = real.masked_fill(hidden, round(255 * GREY))
    labels = ["real", "shown", "drawn", "drawn"]
    return _rows("The right half, drawn to fit the left", [real, shown, *drawn], labels)


def _rows(
    title: str, rows: Sequence[Tensor], labels: Sequence[str], columns: Sequence[str] = ()
) -> Pictures:
    """Rows of images, uint8 (N, C, H, W), as many in each: a card, and the same at full size.

    Args:
        title: Of both.
        rows: The images.
        labels: Left of each row; empty for none.
        columns: Above each column; empty for none.
    """
    sheets = [_sheet(row) for row in rows]
    return _card(title, sheets, labels, columns), _full(title, sheets, labels, columns)


def _sheet(row: Tensor) -> Any:
    """Images side by side, with a white column after each: uint8 (H, N (W + 1), 3)."""
    coloured = row if row.shape[1] == 3 else row[:, :1].expand(-1, 3, -1, -1)
    return F.pad(coloured, (0, 1), value=255).permute(2, 0, 3, 1).flatten(1, 2).numpy()


def _card(title: str, sheets: Sequence[Any], labels: Sequence[str], columns: Sequence[str]) -> Any:
    figure = new_card(title)
    left = 8 + max((width_of(label, SMALL) for label in labels), default=0)
    top = TOP + (12 if columns else 2)
    high, wide = sheets[0].shape[:2]
    scale = min((HEIGHT - top - 3) / len(sheets) / (high + 1), (WIDTH - left - 3) / wide)
    for k, sheet in enumerate(sheets):
        y = top + k * scale * (high + 1)
        picture(figure, sheet, left, y, scale * wide, scale * high)
        if labels:
            write(figure, 4, y + scale * high / 2, labels[k], SMALL, va="center")
    room = scale * wide / max(1, len(columns))
    for k, label in enumerate(columns):
        write(figure, left + (k + 0.5) * room, TOP, fit(label, room, SMALL), SMALL, ha="center")
    return figure


def _full(title: str, sheets: Sequence[Any], labels: Sequence[str], columns: Sequence[str]) -> Any:
    high, wide = sheets[0].shape[:2]
    figure = new_figure(9, 9 * (high + 1) * len(sheets) / wide + 0.9, title)
    axes = figure.subplots()
    axes.set(frame_on=False, xlim=(0, wide), ylim=((high + 1) * len(sheets), 0), aspect="equal")
    for k, sheet in enumerate(sheets):
        extent = (0, wide, k * (high + 1) + high, k * (high + 1))
        axes.imshow(sheet, extent=extent, interpolation="nearest")
    axes.set_yticks([(k + 0.5) * (high + 1) for k in range(len(labels))], labels, fontsize=8)
    room = wide / max(1, len(columns))
    axes.set_xticks([(k + 0.5) * room for k in range(len(columns))], columns, fontsize=8)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    return figure
