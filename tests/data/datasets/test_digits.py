"""Digits: scikit-learn's levels of grey, spread over a byte."""

import torch
from sample_images import digits

from zoo.data.splits import Split


def test_digits_keep_their_17_levels_and_equal_sklearns(tmp_path):
    from sklearn.datasets import load_digits

    data, (x, y) = digits(tmp_path), load_digits(return_X_y=True)
    images = torch.cat([data.splits[k].columns["input"] for k in ("train", "val", "test")])
    assert images.dtype == torch.uint8 and images.shape == (1797, 1, 8, 8)
    assert images.unique().tolist() == [round(level * 255 / 16) for level in range(17)]
    index = Split().indices(torch.from_numpy(y))
    levels = (data.splits["test"].columns["input"].double() * 16 / 255).round()
    assert torch.equal(levels.flatten(1), torch.from_numpy(x)[index["test"]])
