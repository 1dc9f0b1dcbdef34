"""Images as model input: standardised, and read for predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sample_images import build, digits, photos, png16

from zoo.data.encoding import load_encoding
from zoo.data.images.decode import BrokenImage
from zoo.data.images.encoding import ImageEncoding
from zoo.errors import UserError


def test_prediction_reads_files_and_folders(tmp_path, split):
    path = photos(tmp_path / "photos")
    data = build(path, split)
    names, batch = data.encoding.read(path)
    assert len(names) == 30 and names == sorted(names) and batch["input"].shape == (30, 3, 8, 8)
    names, batch = data.encoding.read(f"{path}/owl/3.png")
    assert names == [f"{path}/owl/3.png"] and batch["input"][0, :, 0, 0].tolist() == [3, 3, 203]
    with pytest.raises(UserError, match="did you mean"):
        data.encoding.read(f"{path}/ow")
    (tmp_path / "photos" / "owl" / "3.png").write_bytes(b"")
    with pytest.raises(BrokenImage, match="3.png: 0 bytes"):
        data.encoding.read(f"{path}/owl/3.png")
    with pytest.raises(UserError, match="input= is empty"):  # not the folder of today's work
        data.encoding.read("")


def test_prediction_says_what_it_leaves_out_or_cannot_know(tmp_path, split):
    encoding = build(photos(tmp_path / "photos"), split).encoding
    assert encoding.read_noted(f"{tmp_path}/photos")[2] == []
    folder = tmp_path / "new"
    photos(folder, 2, ["cat"])
    (folder / "cat" / "0.png").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    deep = np.linspace(0, 4000, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    names, batch, notes = encoding.read_noted(str(folder))
    assert [Path(name).name for name in names] == ["1.png", "deep.png"] and len(batch["input"]) == 2
    levels, broken, other = notes
    assert levels.startswith("1 image of more than 8 bits, which the run was not trained on")
    assert broken == f"left out: {folder}/cat/0.png: not an image format that Pillow reads"
    assert other == "1 file left out, no images: 1 .txt"
    twelve = replace(encoding, levels=(0.0, 4096.0))
    assert twelve.read_noted(str(folder / "deep.png"))[2] == []
    assert "go beyond" in replace(twelve, levels=(0.0, 1024.0)).read_noted(str(folder))[2][1]


def test_an_opened_file_of_16_bit_colours_is_read_as_its_file(tmp_path):
    values = np.arange(8 * 8 * 3).reshape(8, 8, 3).astype(np.uint16) * 20  # of 12 bits
    (tmp_path / "deep.png").write_bytes(png16(values))
    form = (8, 8), 3, (0.5,) * 3, (0.2,) * 3, ("a", "b"), "crop", (0.0, 4096.0)
    encoding = ImageEncoding(*form)
    _, of_file, _ = encoding.read_noted(str(tmp_path / "deep.png"))
    _, of_image, _ = encoding.read_value(Image.open(tmp_path / "deep.png"))
    assert torch.equal(of_file["input"], of_image["input"]) and of_file["input"].max() > 200


@pytest.mark.parametrize("cache_gb", [2.0, 0.0])
def test_images_are_normalized_as_imagenets(tmp_path, split, cache_gb):
    data = build(photos(tmp_path / "photos"), split, normalize="imagenet", cache_gb=cache_gb)
    val = data.splits["val"]
    stored = {"input": torch.stack([val[i]["input"] for i in range(3)])}
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (stored["input"] / 255 - mean[:, None, None]) / std[:, None, None]
    prepared = data.encoding.prepare(stored)["input"]
    torch.testing.assert_close(prepared, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="data.normalize=imagenet: expected data.channels=3"):
        build(str(tmp_path / "photos"), split, normalize="imagenet", channels=1)


def test_images_are_standardised_by_the_training_split(tmp_path):
    data = digits(tmp_path)
    train = data.splits["train"].columns["input"].numpy() / 255
    assert data.encoding.mean == (pytest.approx(train.mean(), abs=1e-12),)
    assert data.encoding.std == (pytest.approx(train.std(), abs=1e-12),)
    batch = data.encoding.prepare(data.splits["test"].fetch(torch.arange(5)))
    expected = data.splits["test"].columns["input"][:5].numpy() / 255
    expected = (expected - train.mean()) / train.std()
    assert batch["input"].dtype == torch.float32
    assert np.allclose(batch["input"].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("levels", [1]), ("levels", [3, 1]), ("levels", "x"), ("size", [4])],
)
def test_fields_that_do_not_fit_are_refused(field, value):
    whole = ImageEncoding((4, 4), 1, (0.1,), (1.0,), ("a", "b"), "crop", (0.0, 4096.0)).to_json()
    assert load_encoding(whole).to_json() == whole
    with pytest.raises(UserError, match=rf"image encoding is damaged: {field}"):
        load_encoding(whole | {field: value})
