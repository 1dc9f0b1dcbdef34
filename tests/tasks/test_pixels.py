"""Pixels: from what a model sees to what the data stores, and back."""

import torch

from zoo.data.images.encoding import ImageEncoding
from zoo.tasks.pixels import Pixels, to_bytes


def test_what_is_prepared_comes_back_byte_for_byte():
    images = torch.randint(256, (40, 3, 8, 6), dtype=torch.uint8)
    images[:, 1] //= 3
    encoding = ImageEncoding.fit(images, torch.arange(30), ["a"])
    pixels = Pixels(encoding.mean, encoding.std)
    prepared = encoding.prepare({"input": images})["input"]
    assert torch.equal(to_bytes(pixels.to_unit(prepared)), images)
    torch.testing.assert_close(pixels.standardise(images / 255), prepared, atol=1e-5, rtol=1e-5)


def test_black_and_white_are_the_ends_of_both_ranges():
    pixels = Pixels([0.3], [0.2])
    ends = pixels.standardise(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    torch.testing.assert_close(pixels.to_unit(ends).flatten(), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(pixels.to_signed(ends).flatten(), torch.tensor([-1.0, 1.0]))


def test_what_lies_outside_is_cut():
    assert to_bytes(torch.tensor([-0.5, 0.5, 7.0])).tolist() == [0, 128, 255]
