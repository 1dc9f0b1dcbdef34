"""Diabetes, whose target is a number."""

import numpy as np
import pytest
import torch
from contexts import build_dataset

from zoo.data.splits import Split


def test_diabetes_targets_are_standardised_on_the_training_rows(tmp_path):
    from sklearn import datasets

    data = build_dataset({"name": "diabetes", "root": str(tmp_path)}, split=Split())
    y = datasets.load_diabetes(return_X_y=True)[1]
    index = Split().indices(torch.zeros(len(y), dtype=torch.int64))
    train = y[index["train"].numpy()]
    assert data.facts["target_mean"] == pytest.approx(train.mean())
    assert data.facts["target_std"] == pytest.approx(train.std())
    target = data.splits["test"].columns["target"]
    assert target.shape == (88, 1) and target.dtype == torch.float32
    expected = (y[index["test"].numpy()] - train.mean()) / train.std()
    assert np.allclose(target[:, 0].numpy(), expected, atol=1e-5)
    assert "num_classes" not in data.facts and data.facts["num_outputs"] == 1
