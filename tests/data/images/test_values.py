"""Images of Python: the pixels that a file of them would give."""

import numpy
import pytest
import torch
from PIL import Image

from zoo.data.images.encoding import ImageEncoding
from zoo.data.images.values import opened
from zoo.errors import UserError

DEEP = ImageEncoding((4, 4), 1, (0.5,), (0.2,), ("a", "b"), levels=(0.0, 4096.0))


def test_values_of_more_than_8_bits_count_as_those_of_files_do(tmp_path):
    pixels = (numpy.arange(16) * 256).reshape(4, 4).astype(numpy.uint16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    wanted = DEEP.read(str(tmp_path / "deep.png"))[1]["input"]
    names, batch, notes = DEEP.read_value(pixels)
    assert torch.equal(batch["input"], wanted) and (names, notes) == ([""], [])
    with pytest.raises(UserError, match="values from 0 to 3840"):
        opened(pixels, is_deep=False)
    floats = DEEP.read_value(numpy.array([[0, 1000.0], [2000, 4095]] * 2).repeat(2, 1))[1]
    assert floats["input"].flatten()[:2].tolist() == [0, 0] and floats["input"].max() == 255


def test_the_picture_is_not_changed(tmp_path):
    image = Image.new("RGBA", (8, 6), (255, 0, 0, 128))
    before = image.tobytes()
    names, batch, notes = ImageEncoding((4, 4), 3, (0.5,) * 3, (0.2,) * 3, ("a",)).read_value(image)
    assert image.tobytes() == before and image.size == (8, 6)
    assert batch["input"].shape == (1, 3, 4, 4) and "transparent parts" in notes[0]


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path):
    Image.new("L", (64, 64), 90).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "half.png").write_bytes(content[: len(content) // 2])
    with Image.open(tmp_path / "half.png") as image, pytest.raises(UserError, match="half.png"):
        DEEP.read_value(image)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_each_of_some_grey_images_has_its_answer(number):
    grey = ImageEncoding((8, 8), 1, (0.5,), (0.2,), ("a", "b"))
    images = torch.randint(0, 256, (number, 8, 8), dtype=torch.uint8)
    assert torch.equal(grey.read_value(images[:, None])[1]["input"], images[:, None])
    if number in (3, 4):
        with pytest.raises(UserError, match=rf"{number} grey images, or one of {number} channels"):
            grey.read_value(images)
    else:
        assert torch.equal(grey.read_value(images)[1]["input"], images[:, None])


def test_tensors_of_every_float_type():
    pixels = torch.tensor([[0.0, 1.0], [0.5, 0.25]])
    grey = ImageEncoding((2, 2), 1, (0.5,), (0.2,), ("a", "b"))
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        assert torch.equal(
            grey.read_value(pixels.to(dtype))[1]["input"], grey.read_value(pixels)[1]["input"]
        )
