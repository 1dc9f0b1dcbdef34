"""The card of both players' losses."""

from zoo.tasks.plots.game import game_card


def test_both_losses_and_their_equilibrium_are_drawn():
    losses = [(2.0, 0.1), (1.5, 0.5), (1.4, 0.7)]
    (axes,) = game_card(losses, (1.386, 0.693)).axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert list(lines["discriminator"].get_ydata()) == [2.0, 1.5, 1.4]
    assert list(lines["generator"].get_ydata()) == [0.1, 0.5, 0.7]
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert levels == [1.386, 0.693]
