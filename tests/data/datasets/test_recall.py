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
    with pytest.raises(UserError, match="expected 2 to|expected 1 to"):
        recall(context(split), **options)
