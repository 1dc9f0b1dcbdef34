"""`data.test_shift`: images of the test split, and of no other, are moved."""

import pytest
import torch
from contexts import build_dataset
from sample_images import build, photos

from zoo.data.images.moved import move
from zoo.data.splits import Split
from zoo.errors import UserError


def test_each_image_is_moved_in_its_direction_and_what_comes_in_is_black():
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3)
    right, left, down, up = move(image.expand(4, 1, 3, 3), torch.arange(4), 1)[:, 0].tolist()
    assert right == [[0, 1, 2], [0, 4, 5], [0, 7, 8]]
    assert left == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]
    assert down == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert up == [[4, 5, 6], [7, 8, 9], [0, 0, 0]]


def test_training_and_validation_see_the_images_as_they_are(data_root):
    options = {"root": str(data_root)}
    still, moved = (build_dataset({"name": "digits"}, test_shift=n, **options) for n in (0, 2))
    for split in ("train", "val"):
        assert torch.equal(*(d.splits[split].columns["input"] for d in (still, moved)))
    before, after = (d.splits["test"].columns["input"] for d in (still, moved))
    assert torch.equal(after, move(before, torch.arange(len(before)), 2))
    assert moved.encoding == still.encoding and moved.sha256 == still.sha256
    with pytest.raises(UserError, match="data.test_shift=8: the images are 8x8 pixels; expected 0"):
        build_dataset({"name": "digits"}, test_shift=8, **options)


def test_images_of_files_are_moved_alike_in_memory_and_when_needed(tmp_path):
    path, sources = photos(tmp_path / "photos"), []
    for cache_gb in (2.0, 0.0):
        options = {"root": str(tmp_path), "cache_gb": cache_gb}
        sources.append(build(path, Split(), test_shift=3, **options).splits["test"])
    memory, files = ([source[i] for i in range(len(source))] for source in sources)
    assert len(memory) > 4
    for one, other in zip(memory, files, strict=True):
        assert torch.equal(one["input"], other["input"]) and one["target"] == other["target"]
        assert (one["input"] == 0).all(0).sum() == 3 * 8
