"""Cards: pictures that can be read on a card of TensorBoard, 300 pixels wide.

TensorBoard shows a picture 215 pixels high at most, however wide its window, so a card is three
wide by two high: a taller picture would be shown smaller, with its letters. Lengths here are
pixels of the card; its file has two pixels for each, for screens with small ones.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

WIDTH, HEIGHT = 300, 200
PER_INCH = 100
DENSITY = 2  # pixels of the file for each of the card
TEXT, SMALL = 7.2, 6.2  # points: 10 and 8.6 pixels
LINE = 12  # between two lines
TOP = 17  # below the title
GAP = 7  # between two images
LETTER = 0.6  # width of a letter, of its height; a Chinese one is as wide as high
CLASS_COLOURS = ("#3b6fb6", "#d1495b", "#3c9d6b", "#e0a030", "#7a5ca8", "#8c6d5a", "#4bb3c4")


def new_card(title: str) -> Any:
    """An empty card with a title of one line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / PER_INCH, HEIGHT / PER_INCH), dpi=DENSITY * PER_INCH)
    write(figure, 4, 3, fit(title, WIDTH - 8), weight="bold")
    return figure


def new_figure(width: float, height: float, title: str) -> Any:
    """A figure of this size in inches, for full-size pictures."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure


def write(figure: Any, x: float, y: float, text: str, size: float = TEXT, **style: Any) -> None:
    """Write on a card, x from its left and y from its top; the text hangs below y."""
    style = {"va": "top"} | style
    figure.text(x / WIDTH, 1 - y / HEIGHT, text, fontsize=size, **style)


def axes_on(figure: Any, left: float, top: float, width: float, height: float) -> Any:
    """Axes with this place on a card; labels and ticks lie outside of it."""
    place = (left / WIDTH, 1 - (top + height) / HEIGHT, width / WIDTH, height / HEIGHT)
    axes = figure.add_axes(place)
    axes.tick_params(labelsize=SMALL, length=2, pad=1.5)
    axes.xaxis.label.set_size(TEXT)
    axes.yaxis.label.set_size(TEXT)
    axes.xaxis.labelpad = axes.yaxis.labelpad = 1
    return axes


def legend_beside(axes: Any, **spaces: float) -> None:
    """A legend on the right of the axes; `spaces` are matplotlib's, in letters."""
    beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.02)}
    axes.legend(**beside, frameon=False, fontsize=SMALL, borderpad=0, **spaces)


def few_ticks(axes: Any) -> None:
    """At most four numbers on each axis, short ones."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
        low, high = axis.get_view_interval()
        if max(abs(low), abs(high)) >= 1e4:
            axis.set_major_formatter(EngFormatter(sep=""))


def width_of(text: str, size: float = TEXT) -> float:
    """About how wide a text is on a card, in its pixels."""
    height = size * PER_INCH / 72
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return height * (wide + LETTER * (len(text) - wide))


def fit(text: str, width: float, size: float = TEXT) -> str:
    """The text, cut to this width on a card; one letter is always left."""
    text = " ".join(text.split())
    if width_of(text, size) <= width:
        return text
    while len(text) > 1 and width_of(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def shorten(text: str, most: int) -> str:
    """The text, cut to at most `most` letters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def card_tiles(
    title: str, images: Sequence[Any], labels: Sequence[str], columns: int, rows: int
) -> Any:
    """A card with a grid of images, as large as fits.

    Args:
        title: Of the card.
        images: Each (H, W, 3), 0..1; the first `columns` times `rows` are drawn.
        labels: Of one or two lines below each image; empty for none.
        columns, rows: Of the grid, at most.
    """
    figure = new_card(title)
    images = images[: columns * rows]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = max((label.count("\n") + 1 for label in labels), default=0)
    cell_width, cell_height = (WIDTH - 8) / columns, (HEIGHT - TOP) / rows
    side = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    scale = min((cell_height - LINE * lines - GAP) / side[0], (cell_width - GAP) / side[1])
    for k, image in enumerate(images):
        height, width = (n * scale for n in image.shape[:2])
        middle = 4 + (k % columns + 0.5) * cell_width
        top = TOP + k // columns * cell_height
        picture(figure, image, middle - width / 2, top, width, height)
        if labels:
            write(figure, middle, top + height + 1, labels[k], ha="center", linespacing=1.1)
    return figure


def picture(figure: Any, image: Any, left: float, top: float, width: float, height: float) -> None:
    """Draw an image (H, W, 3) at this place on a card; all in one set of axes, which are costly."""
    axes = figure.axes[0] if figure.axes else figure.add_axes((0, 0, 1, 1), frame_on=False)
    axes.set(xticks=[], yticks=[], xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    place = (left, left + width, top + height, top)
    axes.imshow(image, extent=place, aspect="auto", interpolation="nearest")


def tiles(title: str, images: Sequence[Any], labels: Sequence[str], columns: int) -> Any:
    """A full-size grid of images in one set of axes: far cheaper than axes for each.

    Args:
        title: Of the figure.
        images: Each (H, W, 3), 0..1.
        labels: One or two lines below each image; empty for none.
        columns: Of the grid, at most.
    """
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    ratio = images[0].shape[0] / images[0].shape[1]
    column_width, label_height = (1.08, 0.42) if labels else (1.1, 0.1)  # in widths of an image
    inches = 1.4 if labels else 0.75
    row_height = ratio + label_height
    width = max(4.6, inches * column_width * columns + 0.2)
    figure = new_figure(width, inches * row_height * rows + 0.7, title)
    axes = figure.subplots()
    axes.set_axis_off()
    for k, image in enumerate(images):
        x, y = k % columns * column_width, k // columns * row_height
        axes.imshow(image, extent=(x, x + 1, y + ratio, y), interpolation="nearest")
        if labels:
            axes.text(x + 0.5, y + ratio + 0.04, labels[k], ha="center", va="top", fontsize=8)
    axes.set(xlim=(0, columns * column_width), ylim=(rows * row_height, 0), aspect="equal")
    return figure


def to_pixels(image: Tensor) -> Tensor:
    """(C, H, W) of any range to (H, W, 3) of 0..1; grey unless C is 3."""
    image = image.detach().float().cpu()
    low, high = image.amin(), image.amax()
    image = (image - low) / (high - low).clamp(min=1e-12)
    image = image if len(image) == 3 else image.mean(0).expand(3, -1, -1)
    return image.permute(1, 2, 0)


def class_colours(number: int) -> Tensor:
    """RGB of each of K classes, (K, 3); colours repeat after the seventh."""
    from matplotlib.colors import to_rgb

    palette = torch.tensor([to_rgb(colour) for colour in CLASS_COLOURS])
    return palette[torch.arange(number) % len(palette)]
