"""Images of more than 8 bits: their values are scaled by a range that a run keeps."""

import numpy as np
import pytest
import torch
from PIL import Image
from sample_images import build, png16

from zoo.data.encoding import load_encoding
from zoo.data.images.decode import BrokenImage, decode, decode_and_look
from zoo.data.images.levels import describe, levels_of

RAMP = np.linspace(0, 1, 64).reshape(8, 8)  # black to white
BYTES = torch.from_numpy(np.floor(RAMP * 255.999).astype(np.uint8))[None]


@pytest.mark.parametrize(
    ("low", "high", "is_float", "levels", "text"),
    [
        (0, 255, False, (0, 256), "0..255"),
        (12, 4095, False, (0, 4096), "0..4095"),
        (0, 65535, False, (0, 65536), "0..65535"),
        (0, 900, False, (0, 1024), "0..1023"),
        (27000, 31000, False, (27000, 31000), "27000..31000"),
        (-1024, 3071, False, (-1024, 3071), "-1024..3071"),
        (0, 1, False, (0, 1), "0..1"),
        (0, 0, False, (0, 256), "0..255"),
        (0, 1.0, True, (0, 1), "0..1"),
        (-0.9, 0.9, True, (-1, 1), "-1..1"),
        (0, 255.0, True, (0, 256), "0..255"),
        (290.5, 310.5, True, (290.5, 310.5), "290.5..310.5"),
        (1e38, 3e38, True, (1e38, 3e38), "1e+38..3e+38"),
    ],
)
def test_the_range_is_the_usual_one_or_that_of_the_values(low, high, is_float, levels, text):
    assert levels_of([(low, high, is_float)]) == levels and describe(levels) == text


def saved(path, values):
    """A file of 16 or 32 bits by the type of the values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if values.ndim == 3:
        path.write_bytes(png16(values))
    else:
        Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_whole_numbers_are_shifted_by_their_bits(tmp_path, bits):
    values = np.floor(RAMP * (2**bits - 0.001)).astype(np.uint16)
    grey = saved(tmp_path / "grey.png", values)
    colour = saved(tmp_path / "colour.png", np.stack([values, values // 2, values * 0], axis=2))
    wide = saved(tmp_path / "wide.tif", values.astype(np.int32))
    expected = torch.from_numpy((values >> (bits - 8)).astype(np.uint8))
    for path in (grey, wide):
        assert torch.equal(decode(path, 1, (8, 8), "crop")[0], expected)
    pixels = decode(colour, 3, (8, 8), "crop")
    assert torch.equal(pixels[0], expected) and torch.equal(pixels[1], expected // 2)
    assert pixels[2].max() == 0


def test_opacity_of_16_bits_has_a_range_of_its_own(tmp_path):
    values = np.floor(RAMP * 4095.9).astype(np.uint16)
    opacity = np.where(RAMP < 0.5, 65535, 0).astype(np.uint16)
    path = saved(tmp_path / "x.png", np.stack([values, values, values, opacity], axis=2))
    pixels, facts = decode_and_look(path, 3, (8, 8), "crop")
    expected = torch.from_numpy((values >> 4).astype(np.uint8) * (RAMP < 0.5))
    assert facts.is_transparent and torch.equal(pixels[0], expected)


def test_floats_of_any_range(tmp_path):
    for scale, shift in ((1, 0), (2, -1), (255, 0), (20, 290)):
        path = saved(tmp_path / "x.tif", (RAMP * scale + shift).astype(np.float32))
        difference = decode(path, 1, (8, 8), "crop").int() - BYTES
        assert difference.abs().max() <= 1
    values = RAMP.astype(np.float32)
    values[0, :3] = np.nan, -np.inf, np.inf
    pixels = decode(saved(tmp_path / "x.tif", values), 1, (8, 8), "crop")
    assert pixels[0, 0, :3].tolist() == [0, 0, 255] and torch.equal(pixels[:, 1:], BYTES[:, 1:])
    with pytest.raises(BrokenImage, match="no value is a finite number"):
        decode(saved(tmp_path / "x.tif", values * np.nan), 1, (8, 8), "crop")


def test_orientation_holds_for_16_bits(tmp_path):
    image = Image.fromarray((RAMP * 4095).astype(np.uint16))
    image.getexif()[0x0112] = 3  # upside down
    image.save(tmp_path / "x.png", exif=image.getexif())
    pixels = decode(tmp_path / "x.png", 1, (8, 8), "crop")
    assert pixels[0, 0, 0] == 255 and pixels[0, -1, -1] == 0


@pytest.mark.parametrize("cache_gb", [2.0, 0.0])
def test_a_run_reads_all_its_files_by_one_range_and_keeps_it(tmp_path, split, cache_gb):
    """A dark image of a 12-bit camera stays dark beside a bright one, later as well."""
    for k, name in enumerate(("dark", "bright")):
        for i in range(6):
            values = (RAMP * (3900 if k else 250) + i).astype(np.uint16)
            saved(tmp_path / "photos" / name / f"{i}.png", values)
    data = build(str(tmp_path / "photos"), split, channels=1, cache_gb=cache_gb)
    assert data.encoding.levels == (0, 4096)
    assert any(
        "12 images of more than 8 bits with values 0..3905: 0..4095" in n for n in data.notes
    )
    encoding = load_encoding(data.encoding.to_json())
    assert encoding == data.encoding
    stored = encoding.read(str(tmp_path / "photos" / "dark" / "0.png"))[1]["input"]
    assert stored.max() == 15
    other = saved(tmp_path / "more" / "dark" / "1.png", (RAMP * 60000).astype(np.uint16)).parents[1]
    notes = build(str(other), split, encoding=data.encoding.to_json(), cache_gb=2.0).notes
    assert any("go beyond those that the run was trained on" in note for note in notes)


def test_a_run_from_before_keeps_the_upper_8_bits(tmp_path, split):
    values = (RAMP * 4000).astype(np.uint16)
    path = str(saved(tmp_path / "photos" / "a" / "1.png", values))
    for i in range(5):
        saved(tmp_path / "photos" / "ab"[i % 2] / f"{i + 2}.png", values + 7 * i)
    json = build(str(tmp_path / "photos"), split, channels=1).encoding.to_json()
    assert load_encoding(json).read(path)[1]["input"].max() == 250
    json.pop("levels")
    assert load_encoding(json).read(path)[1]["input"].max() == 15
