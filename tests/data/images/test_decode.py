"""Decoding: sizes, colour modes, orientation."""

import torch
from PIL import Image

from zoo.data.images.decode import decode


def save(tmp_path, image, name="x.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_crop_takes_the_middle_and_squash_all(tmp_path):
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 255, 0), (10, 0, 30, 20))  # red, green in the middle, red
    path = save(tmp_path, image)
    crop = decode(path, 3, (8, 8), "crop")
    assert crop.dtype == torch.uint8 and (crop[1, :, 1:-1] == 255).all() and crop.shape == (3, 8, 8)
    squash = decode(path, 3, (8, 8), "squash")
    assert squash[0, 4, 0] == 255 and squash[1, 4, 4] == 255 and squash[0, 4, 7] == 255
    assert decode(path, 3, (4, 6), "crop").shape == (3, 4, 6)


def test_modes_become_channels(tmp_path):
    grey = save(tmp_path, Image.new("L", (5, 5), 77), "grey.png")
    assert decode(grey, 3, (5, 5), "crop").unique().tolist() == [77]
    colour = save(tmp_path, Image.new("RGB", (5, 5), (77, 77, 77)), "colour.png")
    assert torch.equal(decode(colour, 1, (5, 5), "crop"), torch.full((1, 5, 5), 77).byte())
    clear = save(tmp_path, Image.new("RGBA", (5, 5), (255, 255, 255, 0)), "clear.png")
    assert decode(clear, 3, (5, 5), "crop").max() == 0, "transparent is black"
    deep = save(tmp_path, Image.new("I;16", (5, 5), 256 * 77), "deep.png")
    assert decode(deep, 1, (5, 5), "crop").unique().tolist() == [77]
    palette = Image.new("RGB", (5, 5), (200, 0, 0)).convert("P")
    assert decode(save(tmp_path, palette, "p.gif"), 3, (5, 5), "crop")[0].min() > 190


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (16, 16), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 16, 8))  # white above
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned clockwise: white to the right
    path = save(tmp_path, image, "x.jpg", exif=exif, quality=95)
    pixels = decode(path, 1, (16, 16), "crop")[0].float()
    assert pixels[:, :7].mean() < 30 and pixels[:, 9:].mean() > 225


def test_a_large_jpeg_decoded_at_a_lower_scale_looks_the_same(tmp_path):
    ramp = torch.linspace(0, 255, 800).byte().expand(600, 800)
    path = save(tmp_path, Image.fromarray(ramp.numpy()), "x.jpg", quality=95)
    pixels = decode(path, 1, (30, 40), "crop")[0].float()
    expected = torch.linspace(0, 255, 40).expand(30, 40)
    assert (pixels - expected).abs().max() < 6
