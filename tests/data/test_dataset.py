"""What every dataset gives."""

import torch
from sample_tables import build, small

from zoo.data.dataset import TensorSource


def test_the_fingerprint_follows_the_content():
    raw, target = small()
    assert build(raw, target).sha256 == build(raw, target).sha256
    raw2, _ = small(seed=1)
    assert build(raw2, target).sha256 != build(raw, target).sha256


def test_samples_held_as_tensors_are_given_one_by_one_and_many_at_once():
    source = TensorSource({"input": torch.arange(10.0)[:, None], "target": torch.arange(10)})
    batch = source.fetch(torch.tensor([3, 0, 3]))
    assert batch["target"].tolist() == [3, 0, 3] and batch["input"].shape == (3, 1)
    assert source[3] == {"input": torch.tensor([3.0]), "target": torch.tensor(3)}
    assert len(source) == 10 and source.nbytes == 10 * (4 + 8)
