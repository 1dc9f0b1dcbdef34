"""The mean of each class as an image: what a generative classifier takes a class for.

Shapes: K classes, C channels, H and W height and width.
"""

from collections.abc import Sequence

from torch import Tensor

from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import WIDTH, card_tiles, fit, shorten, tiles, to_pixels

COLUMNS, ROWS = 5, 2  # on a card
MOST = 64
CAPTION = "The mean of each class: where the model expects ink. A sample is compared with each."


def draw_class_means(means: Tensor, class_names: Sequence[str], writer: PreviewWriter) -> None:
    """A tile a class.

    Args:
        means: (K, C, H, W).
        class_names: Of the K classes.
        writer: Receives the figure.
    """
    images = [to_pixels(image).numpy() for image in means[:MOST].float().cpu()]
    shown = COLUMNS * ROWS
    of = f"{shown} of {len(means)}" if len(means) > shown else f"{len(means)}"
    labels = [fit(name, WIDTH / COLUMNS - 4) for name in class_names[:shown]]
    title = f"Means of {of} classes"
    card = card_tiles(title, images[:shown], labels, COLUMNS, ROWS)
    names = [shorten(name, 14) for name in class_names[: len(images)]]
    writer.figure("class_means", card, tiles(title, images, names, COLUMNS), CAPTION)
