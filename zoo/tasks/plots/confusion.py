"""The confusion matrix: which classes are taken for which.

Shapes: K classes.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zoo.tasks.plots.card import (
    HEIGHT,
    LINE,
    SMALL,
    TOP,
    WIDTH,
    axes_on,
    fit,
    new_card,
    new_figure,
    shorten,
    width_of,
    write,
)

MAX_COUNTS = 30  # classes whose counts are written as numbers; names up to twice as many
PAIRS = 5  # the most confused, named on the card
MATRIX_UP_TO = 10  # classes, on the card
MATRIX, SMALL_MATRIX = 140, 112  # pixels of the card; the latter leaves room for long names
NAME = 52  # of a class beside it
CAPTION = (
    "Rows are true classes, columns predicted ones. Blue: correct, red: confused, on a steeper "
    "scale; shades are fractions of the row. Listed: the pairs confused most often."
)


def confused_pairs(counts: Tensor, most: int = PAIRS) -> list[tuple[int, int, int]]:
    """True class, predicted class and count of the most frequent errors.

    Args:
        counts: Int64 (K, K), [true, predicted].
        most: How many.
    """
    errors = counts - counts.diag().diag()
    order = errors.flatten().argsort(descending=True, stable=True)[:most].tolist()
    pairs = [(k // len(counts), k % len(counts), int(errors.flatten()[k])) for k in order]
    return [pair for pair in pairs if pair[2]]


def confusion_card(counts: Tensor, class_names: Sequence[str]) -> Any:
    """The most confused pairs, `truth → predicted: n`; of up to ten classes also the matrix."""
    figure = new_card(_title(counts))
    bars = len(counts) > MATRIX_UP_TO
    left = 4.0 if bars else _small_matrix(figure, counts, class_names) + 10
    room, y = WIDTH - left - 4, TOP + 8.0
    pairs = confused_pairs(counts)
    heading = "truth → predicted" if pairs else "no errors"
    write(figure, left, y, fit(heading, room, SMALL), SMALL, color="0.35")
    y += LINE + 4
    for true, predicted, count in pairs:
        text = _pair(class_names[true], class_names[predicted], count, room)
        write(figure, left, y, text, linespacing=1.1)
        y += LINE * (1 + text.count("\n"))
        if bars:
            figure.add_artist(_bar(left, y, room * count / pairs[0][2]))
        y += 19 if bars else 4
    return figure


def _pair(true: str, predicted: str, count: int, room: float) -> str:
    """`truth → predicted: n`, on two lines where one of this width is too short."""
    number = f": {count:,}"
    line = f"{true} → {predicted}{number}"
    if width_of(line) <= room:
        return line
    return (
        f"{fit(true, room - width_of(' →'))} →\n{fit(predicted, room - width_of(number))}{number}"
    )


def _bar(left: float, top: float, width: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(
        (left / WIDTH, 1 - (top + 4) / HEIGHT), width / WIDTH, 4 / HEIGHT, fc="#e58a83"
    )


def _small_matrix(figure: Any, counts: Tensor, class_names: Sequence[str]) -> float:
    """Draw the matrix; returns where it ends on the right."""
    longest = max(width_of(name, SMALL) for name in class_names)
    side = MATRIX if longest <= NAME / 2 else SMALL_MATRIX
    cell = side / len(counts)
    margin = min(longest, NAME) + 17
    axes = axes_on(figure, margin, TOP + 8, side, side)
    fraction, colours = _shades(counts)
    axes.imshow(colours.numpy(), aspect="auto")
    largest = max(width_of(f"{int(n)}", SMALL) for n in counts.flatten())
    if largest <= cell:
        _write_counts(axes, counts, fraction, SMALL)
    names = [fit(name, NAME, SMALL) for name in class_names]
    axes.set_yticks(range(len(names)), names)
    across = longest <= cell
    axes.set_xticks(range(len(names)) if across else [], names if across else [])
    write(figure, 2, TOP + 8 + side / 2, "true", SMALL, rotation=90, va="center")
    middle, below = margin + side / 2, TOP + 8 + side + (15 if across else 3)
    write(figure, middle, below, "predicted", SMALL, ha="center")
    return margin + side


def confusion(counts: Tensor, class_names: Sequence[str]) -> Any:
    """All classes, at full size.

    Correct predictions are blue, errors red on a steeper scale, so that a few errors are visible.

    Args:
        counts: Int64 (K, K), [true, predicted].
        class_names: Of the K classes.
    """
    number = len(counts)
    size = min(11.0, 2.6 + 0.42 * max(number, 5))
    figure = new_figure(size + 0.3, size, _title(counts))
    axes = figure.subplots()
    fraction, colours = _shades(counts)
    axes.imshow(colours.numpy(), aspect="equal")
    if number <= MAX_COUNTS:
        _write_counts(axes, counts, fraction, 9 if number <= 12 else 6.5)
    _name_classes(axes, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def _title(counts: Tensor) -> str:
    total, correct = int(counts.sum()), int(counts.diag().sum())
    return f"{correct:,} of {total:,} correct ({correct / total:.2%})"


def _shades(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Fractions of the rows (K, K), and their colours (K, K, 4)."""
    from matplotlib import colormaps

    fraction = counts / counts.sum(1, keepdim=True).clamp(min=1)
    colours = torch.from_numpy(colormaps["Reds"](0.75 * fraction.sqrt().numpy()))
    diagonal = torch.eye(len(counts), dtype=torch.bool)
    colours[diagonal] = torch.from_numpy(colormaps["Blues"](0.8 * fraction.diag().numpy()))
    colours[(counts == 0) & ~diagonal] = 1.0
    return fraction, colours


def _write_counts(axes: Any, counts: Tensor, fraction: Tensor, font_size: float) -> None:
    for true, predicted in counts.nonzero().tolist():
        dark = fraction[true, predicted] > (0.6 if true == predicted else 0.4)
        axes.text(
            predicted,
            true,
            f"{int(counts[true, predicted])}",
            ha="center",
            va="center",
            fontsize=font_size,
            color="white" if dark else "black",
        )


def _name_classes(axes: Any, class_names: Sequence[str]) -> None:
    """Tick labels with the names, if there is space for them."""
    if len(class_names) > 2 * MAX_COUNTS:
        return
    names = [shorten(name, 14) for name in class_names]
    font_size = 9 if len(names) <= 12 else 6.5
    space = 5 / max(len(names), 5)  # relative to that of one of five names
    slanted = max(map(len, names)) > 12 * space
    axes.set_xticks(range(len(names)), names, rotation=45 if slanted else 0, fontsize=font_size)
    axes.set_yticks(range(len(names)), names, fontsize=font_size)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
