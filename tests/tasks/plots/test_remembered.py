"""Where heads were, as the ring that slots form."""

import torch
from previews import Previews

from zoo.tasks.plots.remembered import remembered_plots, used_slots


def on(slots, *places):
    """Weights of a head that is on one slot after another, (N, T)."""
    return torch.eye(slots)[:, list(places)]


def test_slots_are_shown_in_a_row_wherever_the_ring_begins():
    assert used_slots(on(8, 7, 0, 1)).tolist() == [7, 0, 1]
    assert used_slots(on(8, 2, 3, 5)).tolist() == [2, 3, 4, 5]
    assert used_slots(on(4, 3)).tolist() == [3]
    assert used_slots(on(3, 0, 1, 2)).tolist() in ([0, 1, 2], [1, 2, 0], [2, 0, 1])
    assert used_slots(torch.full((5, 3), 0.2)).tolist() == [0, 1, 2, 3, 4]


def test_wrong_bits_are_red_and_heads_share_their_slots():
    shown, target = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), torch.ones(3, 2)
    share = torch.tensor([[0.1, 0.1], [0.2, 0.9], [0.9, 0.9]])
    asked = torch.tensor([False, True, True])
    writes, reads = on(6, 5, 0, 1).T[:, None], on(6, 1, 1, 5).T[:, None]
    previews = Previews()
    remembered_plots(shown, target, share, asked, reads, writes, previews)
    images = [axes.images[0].get_array() for axes in previews.full["remembered"].axes]
    answer = torch.as_tensor(images[1])
    red = answer[..., 0] > answer[..., 1] + 0.3
    assert red.tolist() == [[False, True, False], [False, False, False]]
    assert [image.shape[0] for image in images] == [2, 2, 3, 3]
    assert images[2][..., 0].argmin(0).tolist() == [0, 1, 2]
    assert images[3][..., 0].argmin(0).tolist() == [2, 2, 0]
