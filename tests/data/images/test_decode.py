"""Decoding: sizes, colour modes, orientation."""

import random

import pytest
import torch
from PIL import Image

from zoo.data.images.decode import BrokenImage, Facts, check_file, decode, decode_and_look


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


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_shows_the_same_picture(tmp_path, mode):
    """A white square on black, but for the lossy steps of a mode."""
    image = Image.new("RGB", (8, 8))
    image.paste((255, 255, 255), (0, 0, 4, 8))
    image = image.convert("L").convert(mode) if mode in ("LA", "P") else image.convert(mode)
    kind = "tif" if mode in ("CMYK", "YCbCr") else "png"
    path = save(tmp_path, image, f"{mode}.{kind}")
    for channels in (1, 3):
        pixels = decode(path, channels, (8, 8), "crop")
        assert pixels[:, :, :4].min() > 250 and pixels[:, :, 4:].max() < 5, mode


def test_transparency_by_palette_or_colour_becomes_black(tmp_path):
    picture = Image.new("L", (4, 4), 200)
    for mode, value in (("P", 200), ("L", 200), ("RGB", (200, 200, 200))):
        path = save(tmp_path, picture.convert(mode), f"{mode}.png", transparency=value)
        assert decode_and_look(path, 3, (4, 4), "crop")[1].is_transparent, mode
        assert decode(path, 3, (4, 4), "crop").max() == 0
    path = save(tmp_path, picture.convert("RGBA"), "opaque.png")
    assert not decode_and_look(path, 3, (4, 4), "crop")[1].is_transparent


def test_of_several_frames_the_first_is_read(tmp_path):
    frames = [Image.new("L", (4, 4), 10), Image.new("L", (4, 4), 250)]
    for kind in ("gif", "webp", "png", "tif"):
        path = save(tmp_path, frames[0], f"x.{kind}", save_all=True, append_images=frames[1:])
        pixels, facts = decode_and_look(path, 1, (4, 4), "crop")
        assert facts.is_animated and pixels.max() < 20 and check_file(path).is_animated
    still = save(tmp_path, frames[0], "still.gif")
    assert not decode_and_look(still, 1, (4, 4), "crop")[1].is_animated


@pytest.mark.parametrize("kind", ["jpg", "png", "gif", "webp", "bmp", "tif", "avif"])
def test_a_truncated_file_is_found_with_and_without_decoding(tmp_path, kind):
    noise = torch.randint(0, 256, (200, 200, 3), generator=torch.Generator().manual_seed(0))
    path = save(tmp_path, Image.fromarray(noise.byte().numpy()), f"x.{kind}")
    content = path.read_bytes()
    assert check_file(path) == Facts()
    path.write_bytes(content[: len(content) * 2 // 3])
    for read in (check_file, lambda p: decode(p, 3, (8, 8), "crop")):
        with pytest.raises(BrokenImage):
            read(path)


def test_a_damaged_exif_harms_nothing(tmp_path):
    path = save(tmp_path, Image.new("L", (4, 4), 90), "x.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff")
    assert (decode(path, 1, (4, 4), "crop").int() - 90).abs().max() < 3


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


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damaged_bytes_give_a_picture_or_a_reason(tmp_path, kind):
    generator = random.Random(kind)
    noise = torch.randint(0, 256, (12, 10, 3), generator=torch.Generator().manual_seed(0))
    picture = Image.fromarray(noise.byte().numpy())
    content = save(tmp_path, picture, f"x.{kind.lower()}").read_bytes()
    outcomes = set()
    for _ in range(30):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[generator.randrange(len(content))] = generator.randrange(256)
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            pixels = decode(tmp_path / "damaged", 3, (4, 4), "crop", max_pixels=10_000)
            outcomes.add(tuple(pixels.shape))
        except BrokenImage as error:
            outcomes.add(bool(error.reason))
    assert outcomes <= {(3, 4, 4), True}
