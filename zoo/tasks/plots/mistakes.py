"""Misclassified images, the worst first.

Shapes: N samples, K classes, C channels, H and W height and width, M images shown.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from zoo.tasks.plots.card import WIDTH, card_tiles, fit, shorten, tiles, to_pixels, width_of

MAX_ERRORS = 16
COLUMNS, ROWS = 3, 2  # of a card
CAPTION = (
    "Truth → prediction and its confidence, the highest loss first. What they have in common tells "
    "what the model has not learnt; some may be labelled wrongly."
)


def worst_errors(logits: Tensor, target: Tensor) -> tuple[Tensor, bool]:
    """The errors with the highest loss, worst first; without errors, the least certain samples.

    Returns:
        Indices int64 (M,), and whether they are errors.
    """
    wrong = (logits.argmax(1) != target).nonzero()[:, 0]
    if len(wrong):
        loss = F.cross_entropy(logits[wrong], target[wrong], reduction="none")
        return wrong[loss.argsort(descending=True)][:MAX_ERRORS], True
    confidence = logits.softmax(1).amax(1)
    return confidence.argsort()[:MAX_ERRORS], False


def mistakes(
    images: Tensor, logits: Tensor, target: Tensor, class_names: Sequence[str]
) -> tuple[Any, Any]:
    """A card with a few of the worst errors, and a full-size grid with more.

    Args:
        images: (N, C, H, W), to be drawn.
        logits: (N, K).
        target: Int64 (N,).
        class_names: Of the K classes.
    """
    chosen, are_errors = worst_errors(logits, target)
    total = int((logits.argmax(1) != target).sum())
    probabilities = logits[chosen].softmax(1).cpu()
    guesses = probabilities.max(1)
    rows = zip(target[chosen].tolist(), guesses.indices.tolist(), guesses.values.tolist())
    named = [(class_names[t], class_names[p], confidence) for t, p, confidence in rows]
    pixels = [to_pixels(image).numpy() for image in images[chosen]]
    shown = min(len(chosen), COLUMNS * ROWS)
    short = f"{_title(shown, total, are_errors)} of {len(images):,} images"
    card = card_tiles(short, pixels, [_label(*row) for row in named[:shown]], COLUMNS, ROWS)
    labels = [
        f"true {shorten(true, 12)}\npred. {shorten(predicted, 12)} {confidence:.0%}"
        for true, predicted, confidence in named
    ]
    title = f"{_title(len(chosen), total, are_errors)} ({len(images):,} samples)"
    return card, tiles(title, pixels, labels, 4)


def _title(shown: int, total: int, are_errors: bool) -> str:
    if not are_errors:
        return "No errors; least confident"
    if total == shown:
        return f"{total} error{'s' * (total > 1)}"
    return f"The {shown} worst of {total} errors"


def _label(true: str, predicted: str, confidence: float) -> str:
    """`cat → dog 88%`, on two lines where one is too short."""
    room, end = WIDTH / COLUMNS - 6, f" {confidence:.0%}"
    label = f"{true} → {predicted}{end}"
    if width_of(label) <= room:
        return label
    names = fit(true, room - width_of(" →")), fit(predicted, room - width_of(end))
    return f"{names[0]} →\n{names[1]}{end}"
