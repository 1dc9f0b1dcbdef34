"""Parts of a set of images have all of its classes."""

import pytest
import torch

from zoo.judge.images import Images


@pytest.mark.parametrize("classes", [7, 10])
@pytest.mark.parametrize("number", [200, 250, 400, 999, 1000])
def test_a_part_has_all_classes_that_take_turns(classes, number):
    labels = torch.arange(1000) % classes
    part = Images(torch.arange(1000).view(-1, 1, 1, 1), labels).spread(number)
    assert number / 2 < len(part) <= number
    assert set(part.labels.tolist()) == set(range(classes))
    assert torch.equal(part.labels, part.pixels.flatten() % classes)
    assert part.labels.bincount().min() > 0.4 * len(part) / classes


def test_a_part_is_evenly_spread_where_that_does():
    labels = torch.arange(1000) // 100
    part = Images(torch.arange(1000).view(-1, 1, 1, 1), labels).spread(250)
    assert torch.equal(part.pixels.flatten(), torch.arange(0, 1000, 4))
