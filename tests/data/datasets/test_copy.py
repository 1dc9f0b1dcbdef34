"""Sequences to copy: how long they are, in which split."""

import numpy as np
import pytest
import torch
from contexts import context

from zoo.data.datasets.copy import copy
from zoo.errors import UserError


def answers(dataset, split):
    """Each sequence's answer, (L, bits)."""
    source = dataset.splits[split]
    batch = source.fetch(torch.arange(len(source)))
    return [t[s] for t, s in zip(batch["target"], batch["scored"], strict=True)], batch


def test_lengths_of_each_split(split):
    dataset = copy(context(split), bits=3, longest=4, distance=2, size=500)
    for name, expected in (("train", {1, 2, 3, 4}), ("test", {4}), ("longer", {8})):
        found, batch = answers(dataset, name)
        assert {len(answer) for answer in found} == expected
        for answer, input in zip(found, batch["input"], strict=True):
            assert torch.equal(input[: len(answer), :3], answer)
    ones = np.mean([float(a.float().mean()) for a in answers(dataset, "longer")[0]])
    assert ones == pytest.approx(0.5, abs=0.02)
    assert len(dataset.splits["train"]) == 300 and dataset.facts["num_outputs"] == 3


def test_a_seed_decides_the_bits_and_an_evaluation_has_all_of_them(split):
    first, again = (copy(context(split), longest=3, size=200) for _ in range(2))
    assert first.sha256 == again.sha256
    other = copy(context(split, first.encoding.to_json()), longest=3, size=200)
    assert len(other.splits["all"]) == 200


@pytest.mark.parametrize("options", [{"bits": 0}, {"longest": 0}, {"distance": -1}, {"size": 9}])
def test_sizes_out_of_range(options, split):
    (name,) = options
    with pytest.raises(UserError, match=f"data.{name}={options[name]}: expected"):
        copy(context(split), **options)
