"""How busy each expert of a mixture is.

Shapes: L mixtures, E experts.
"""

from typing import Any

from torch import Tensor

from zoo.inference.expert_load import shares
from zoo.tasks.base import PreviewWriter
from zoo.tasks.plots.card import HEIGHT, SMALL, TEXT, TOP, WIDTH, axes_on, new_card, write

MOST_NUMBERS = 12  # experts or mixtures whose cells have numbers
MOST = 2.0  # times the fair share, the end of the scale
CAPTION = (
    "Each row is a mixture, each column an expert: how many of the validation's tokens chose it, "
    "over its fair share. 1 is balanced; blue is idle, red is crowded."
)


def expert_load(load: Tensor, writer: PreviewWriter) -> None:
    """Plot the load of all experts as the figure `experts`.

    Args:
        load: How often each was chosen, (L, E), in any unit.
        writer: Receives the figure.
    """
    writer.figure("experts", load_card(shares(load.double())), caption=CAPTION)


def load_card(load: Tensor) -> Any:
    """A heat map of loads over their fair shares, (L, E)."""
    layers, experts = load.shape
    figure = new_card(f"Load of {experts} experts over the fair share")
    left, below = 30.0, 26.0
    axes = axes_on(figure, left, TOP + 4, WIDTH - left - 6, HEIGHT - TOP - 4 - below)
    axes.imshow(load.numpy(), cmap="RdBu_r", vmin=0, vmax=MOST, aspect="auto")
    if max(layers, experts) <= MOST_NUMBERS:
        for row, values in enumerate(load.tolist()):
            for column, value in enumerate(values):
                dark = abs(value - 1) > 0.6
                style = {"color": "white" if dark else "black", "fontsize": SMALL}
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", **style)
        axes.set_xticks(range(experts), [str(k + 1) for k in range(experts)])
        axes.set_yticks(range(layers), [str(k + 1) for k in range(layers)])
    axes.tick_params(length=0)
    axes.set_ylabel("mixture")
    write(figure, WIDTH / 2, HEIGHT - 13, "expert", TEXT, ha="center")
    return figure
