"""Image datasets: a run's encoding has to fit them."""

import pytest
from contexts import build_dataset
from sample_images import fake_mnist

from zoo.data.datasets import fashion_mnist, mnist
from zoo.data.splits import Split
from zoo.errors import UserError


def test_an_encoding_of_another_shape_or_other_classes_is_refused(idx, tmp_path, monkeypatch):
    remotes, _ = fake_mnist(idx, tmp_path)
    monkeypatch.setattr(mnist, "FILES", remotes)
    monkeypatch.setattr(fashion_mnist, "FILES", remotes)
    root = str(tmp_path)
    digits = build_dataset({"name": "digits", "root": root}, split=Split())
    run = build_dataset({"name": "mnist", "root": root}, split=Split())
    with pytest.raises(UserError, match="images are 1x28x28 .* the run was trained on 1x8x8"):
        json_ = digits.encoding.to_json()
        build_dataset({"name": "mnist", "root": root}, split=Split(), encoding=json_)
    with pytest.raises(UserError) as error:
        json_ = run.encoding.to_json()
        build_dataset({"name": "fashion_mnist", "root": root}, split=Split(), encoding=json_)
    expected = "the data has 10 classes (T-shirt/top, Trouser, Pullover, ...), the run was trained "
    assert expected + "on 10 (0, 1, 2, ...)" in str(error.value)
