"""The example's `opened`, as a stranger runs it, beside how Zoo decodes files."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from zoo.data.images.decode import ORIENTATION, decode
from zoo.weights.usage_image import image_pipeline, opened

SIZE = (12, 20)  # height and width
LEVELS = {"12 bits": (0.0, 4096.0), "16 bits": (0.0, 65536.0), "floats": (-1.5, 2.5)}


def files(folder):
    """Pictures of the ways in which programs differ, all of one size when they are upright."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (*SIZE, 4), dtype=np.uint8)
    pixels[..., 3] = (random.random(SIZE) < 0.7) * random.integers(1, 256, SIZE)
    seen = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    lying = seen.transpose(Image.Transpose.ROTATE_90)
    seen.save(folder / "rgba.png")
    seen.convert("LA").save(folder / "la.png")
    seen.quantize(16).save(folder / "palette.png")
    lying.save(folder / "lying.png", exif=exif)
    lying.convert("RGB").save(folder / "lying.jpg", exif=exif, quality=95)
    seen.convert("L").save(folder / "grey.png")
    seen.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    return sorted(folder.iterdir())


def scope(channels, levels=None):
    form = {"channels": channels, "height": SIZE[0], "width": SIZE[1]}
    form |= {"levels": list(levels)} if levels else {}
    names = {"np": np, "Image": Image, "ImageOps": ImageOps}
    exec(opened(form), names)
    compile(image_pipeline({"image": form}), "example", "exec")
    return names["opened"]


def pixels_of(image):
    array = torch.from_numpy(np.array(image))
    return array[None] if array.dim() == 2 else array.permute(2, 0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_are_opened_as_zoo_decodes_them(tmp_path, channels):
    for file in files(tmp_path):
        ours = decode(file, channels, SIZE, "crop")
        assert torch.equal(pixels_of(scope(channels)(file)), ours), file


@pytest.mark.parametrize("name", LEVELS)
def test_more_than_eight_bits_are_read_as_in_training(tmp_path, name):
    file, levels = tmp_path / ("deep.tif" if name == "floats" else "deep.png"), LEVELS[name]
    low, high = levels
    values = np.random.default_rng(1).uniform(low, high - 1e-3, SIZE)
    values = values.astype(np.float32 if name == "floats" else np.uint16)
    Image.fromarray(values).save(file)
    for channels in (1, 3):
        ours = decode(file, channels, SIZE, "crop", levels=levels)
        assert torch.equal(pixels_of(scope(channels, levels)(file)), ours)
    with pytest.raises(ValueError, match="more than 8 bits, on which this model was not trained"):
        scope(1)(file)
