"""What a model with codes draws: new images, restored ones, those between two, its plane of codes.

Shapes: N images, C channels, H height, W width, Z code.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.tasks.base import PreviewWriter
from zoo.tasks.drawing import grid
from zoo.tasks.plots.card import (
    axes_on,
    class_colours,
    few_ticks,
    legend_beside,
    new_card,
    new_figure,
)
from zoo.tasks.plots.images import image_card, images_plots, spread

ROWS, COLUMNS = 8, 10  # of drawn images
RESTORED = 12
PAIRS, STEPS = 6, 10  # of images with others between them
SIDE = 15  # images of a row of the plane
MOST_NAMES = 10  # of classes, in a legend
SEED = 0
DRAWN = "New images, of codes drawn at random: the mean of each pixel."
RESTORATION = "Above images of the split, below what the decoder makes of the mean of their codes."
BETWEEN = (
    "First and last of each row are images of the split, restored; those between have codes on the "
    "straight line from one to the other. They are whole images, not one fading into the other."
)
PLANE = (
    "An image for each code, which here has two numbers: quantiles of a normal distribution, so "
    "that each square of the plane is as likely as another. Neighbours are alike."
)
SCATTER = "The mean code of each image, in the colour of its class, which the model was not told."


def code_plots(
    task: Any,
    model: Any,
    seen: Tensor,
    x: Tensor,
    classes: Tensor | None,
    target: Tensor | None,
    writer: PreviewWriter,
) -> None:
    """Write all pictures.

    Args:
        task: `zoo.tasks.elbo.Elbo`.
        model: With `encode`, `decode` and `latent`, in evaluation mode.
        seen, x: Images (N, C, H, W), as pixels of 0..1 and standardised.
        classes: Int64 (N,), where the model is told them.
        target: Int64 (N,), where the data has classes.
        writer: Receives the pictures.
    """
    pixels = drawn(task, model)
    names = task.class_names
    columns = len(names) if 0 < len(names) <= 2 * COLUMNS else COLUMNS
    images_plots("drawn", "Drawn", pixels, writer, DRAWN, columns)
    mean, _ = model.encode(x, classes)
    some = spread(len(x), RESTORED)
    part = None if classes is None else classes[some]
    pairs = torch.cat([_bytes(seen[some]), _images(task, model, mean[some], part)])
    rows = ("image", "restored")
    images_plots("restored", "Images, and restored", pairs, writer, RESTORATION, len(some), rows)
    line = _between(task, model, mean, classes)
    images_plots("between", "From one to another", line, writer, BETWEEN, STEPS)
    if has_plane(task, model):
        plane = _plane(task, model)
        images_plots("plane", "The plane of codes", plane, writer, PLANE, SIDE)
        if target is not None and task.known_classes:
            _scatter(mean, target, task.known_classes, writer)


def codes_frame(task: Any, model: Any, writer: PreviewWriter) -> None:
    """The frame of a film: the plane, or what the same codes become."""
    if has_plane(task, model):
        writer.frame("plane", lambda: image_card("Plane", grid(_plane(task, model), SIDE)), PLANE)
    else:
        columns, number = 9, 45

        def draw() -> Any:
            return image_card("Drawn", grid(drawn(task, model)[:number], columns))

        writer.frame("drawn", draw, f"{DRAWN} Always the same codes.")


def drawn(task: Any, model: nn.Module) -> Tensor:
    """Rows of new images, a column for each class where there are few."""
    names = task.class_names
    columns = len(names) if 0 < len(names) <= 2 * COLUMNS else COLUMNS
    classes = torch.arange(ROWS * columns) % max(1, len(names))
    return task.draw(model, classes, torch.Generator().manual_seed(SEED), pixels="mean")


def has_plane(task: Any, model: Any) -> bool:
    """Whether a code is a place of a plane."""
    return model.latent == 2 and not task.class_names


def _bytes(unit: Tensor) -> Tensor:
    return (255 * unit.clamp(0, 1)).round().to(torch.uint8).cpu()


def _images(task: Any, model: Any, z: Tensor, classes: Tensor | None) -> Tensor:
    """The means of decoded codes (N, Z), uint8 (N, C, H, W)."""
    return _bytes(task.kind.mean(model.decode(z, classes).float()))


def _between(task: Any, model: Any, mean: Tensor, classes: Tensor | None) -> Tensor:
    """Rows of images on the way from one to another, of the same class where there are any."""
    places, rows = spread(len(mean), PAIRS + 1), []
    for k, other in zip(places, places[1:] or places):
        if classes is not None:
            others = torch.arange(len(mean), device=mean.device).roll(-k - 1)[: len(mean) - 1]
            alike = others[classes[others] == classes[k]]
            other = int(alike[0]) if len(alike) else other
        steps = torch.linspace(0, 1, STEPS, device=mean.device)[:, None]
        told = None if classes is None else classes[k].expand(STEPS)
        rows.append(_images(task, model, mean[k] + steps * (mean[other] - mean[k]), told))
    return torch.cat(rows)


def _plane(task: Any, model: Any) -> Tensor:
    """Images of codes at the quantiles of a normal distribution, from the upper left."""
    device = next(model.parameters()).device
    places = torch.special.ndtri((torch.arange(SIDE, device=device) + 0.5) / SIDE)
    down, across = torch.meshgrid(-places, places, indexing="ij")
    return _images(task, model, torch.stack([across, down], 2).flatten(0, 1), None)


def _scatter(mean: Tensor, target: Tensor, names: list[str], writer: PreviewWriter) -> None:
    card, full = new_card("Codes by class"), new_figure(6.5, 5.5, "The mean code of each image")
    wide = axes_on(card, 34, 20, 190, 155)
    for axes in (wide, full.subplots()):
        colours = class_colours(len(names)).numpy() if len(names) <= 7 else None
        for k, name in enumerate(names):
            x, y = mean[target == k].float().cpu().numpy().T
            colour = colours[k] if colours is not None else f"C{k % 10}"
            axes.scatter(x, y, s=5 if axes is wide else 12, color=[colour], label=name, lw=0)
        axes.set(xlabel="first number", ylabel="second")
        if len(names) <= MOST_NAMES:
            legend_beside(axes, labelspacing=0.2, handletextpad=0.1)
    few_ticks(wide)
    writer.figure("codes", card, full, SCATTER)
