"""Grids of images: what of a large one is on the card."""

import torch
from previews import Previews

from zoo.tasks.plots.images import images_plots


def test_the_card_shows_all_of_a_grid_or_a_part_that_is_spread_over_it():
    """The last column of a row may be what its caption speaks of, and so may the tenth class."""
    for rows, columns in ((6, 10), (15, 15)):
        shades = torch.arange(rows * columns, dtype=torch.uint8)
        previews = Previews()
        pixels = shades.view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
        images_plots("grid", "Grid", pixels, previews, "", columns)
        shown = torch.as_tensor(previews.figures["grid"].axes[0].images[0].get_array())[..., 0]
        wide = shown[1::5, 1::5]  # a pixel of each image
        assert wide.shape == (6, 10)
        assert wide[[0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [
            0,
            columns - 1,
            (rows - 1) * columns,
            rows * columns - 1,
        ]
        assert len(wide.unique()) == 60
