"""Items to recall: different ones, so that each question has one answer."""

import pytest
import torch
from contexts import context

from zoo.data.datasets.recall import recall
from zoo.errors import UserError


def test_the_answer_follows_the_item_that_is_asked_about(split):
    dataset = recall(context(split), bits=3, item=2, most=4, size=300)
    source = dataset.splits["train"]
    batch = source.fetch(torch.arange(len(source)))
    counts = set()
    for input, target, scored in zip(*batch.values(), strict=True):
        starts = (input[:, 3] == 1).nonzero()[:, 0].tolist()
        items = [input[k + 1 : k + 3, :3].tolist() for k in starts]
        asked = input[int((input[:, 4] == 1).nonzero()[0]) + 1 :][:2, :3].tolist()
        assert len({str(item) for item in items}) == len(items)
        assert target[scored].tolist() == items[items.index(asked) + 1]
        counts.add(len(items))
    assert counts == {2, 3, 4}


@pytest.mark.parametrize("options", [{"item": 0}, {"most": 1}, {"bits": 1, "item": 2, "most": 2}])
def test_sizes_out_of_range(options, split):
    with pytest.raises(UserError, match="expected 2 to|expected 1 to|raise data.bits"):
        recall(context(split), **options)


def test_items_differ_where_half_of_all_there_are_occur(split, monkeypatch):
    """100 of 256 possible items: independent draws would nearly always repeat one."""
    monkeypatch.setattr("zoo.data.datasets.recall.TRIES", 3)
    source = recall(context(split), bits=8, item=1, most=50, size=100).splits["longer"]
    for k in range(5):
        input = source.fetch(torch.tensor([k]))["input"][0]
        items = input[(input[:, 8] == 1).nonzero()[:, 0] + 1, :8]
        assert len(items) == 100 and len(items.unique(dim=0)) == 100
