"""Plot of a game of two players: their losses over the validations of a run."""

from collections.abc import Sequence
from typing import Any

from zoo.tasks.plots.card import CLASS_COLOURS, SMALL, axes_on, few_ticks, new_card

NAMES = ("discriminator", "generator")


def game_card(losses: Sequence[tuple[float, float]], undecided: tuple[float, float]) -> Any:
    """A card with both losses and, dashed, what they are in equilibrium.

    Args:
        losses: Of the discriminator and the generator, at each validation since the last start.
        undecided: Their values where the discriminator cannot tell.
    """
    card = new_card("Losses of both players")
    axes = axes_on(card, 34, 24, 256, 142)
    times = range(1, len(losses) + 1)
    for values, level, name, colour in zip(zip(*losses), undecided, NAMES, CLASS_COLOURS):
        axes.plot(times, values, color=colour, label=name, linewidth=1.2)
        axes.axhline(level, color=colour, linestyle="--", linewidth=0.8)
    axes.set_xlabel("validation since the last start")
    axes.legend(frameon=False, fontsize=SMALL)
    few_ticks(axes)
    return card
