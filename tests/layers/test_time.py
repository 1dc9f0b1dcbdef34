"""Time and class as one vector."""

import torch

from zoo.layers.time import TimeAndClass, waves


def test_waves_tell_all_steps_apart():
    table = waves(torch.arange(1001.0), 8)
    assert table.shape == (1001, 8) and float(table.abs().max()) <= 1
    distance = torch.cdist(table, table) + 9 * torch.eye(1001)
    assert float(distance.min()) > 1e-3
    assert waves(torch.ones(2), 5).shape == (2, 5)


def test_time_and_class_both_count_and_a_class_may_be_left_out():
    torch.manual_seed(0)
    layer = TimeAndClass(3, 8, 16)
    vectors = layer(torch.tensor([0.1, 0.2, 0.1]), torch.tensor([0, 0, 3]))
    assert vectors.shape == (3, 16)
    assert len(vectors.detach().unique(dim=0)) == 3
    assert TimeAndClass(0, 8, 16)(torch.zeros(1), torch.zeros(1, dtype=torch.int64)).shape == (
        1,
        16,
    )
