"""MNIST's files become a dataset."""

import pytest
import torch
from contexts import build_dataset
from sample_images import fake_mnist

from zoo.data.datasets import mnist
from zoo.data.splits import Split


@pytest.mark.parametrize("plain", [False, True])
def test_mnist_files_become_a_dataset(idx, tmp_path, monkeypatch, plain):
    remotes, tensors = fake_mnist(idx, tmp_path, plain)
    monkeypatch.setattr(mnist, "FILES", remotes)
    data = build_dataset({"name": "mnist", "root": str(tmp_path)}, split=Split())
    assert data.facts["input_shape"] == (1, 28, 28) and data.facts["class_names"][9] == "9"
    test = data.splits["test"].columns
    assert torch.equal(test["input"][:, 0], tensors[2])
    assert test["target"].tolist() == tensors[3].tolist()
    assert len(data.splits["train"]) + len(data.splits["val"]) == 60
