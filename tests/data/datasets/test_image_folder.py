"""The user's own images: both layouts, decoding, and each broken file named before training."""

import os
import struct
import zlib

import pytest
import torch
from contexts import build_dataset
from PIL import Image

from zoo.data.images.augment import Augment
from zoo.data.images.decode import BrokenImage, decode
from zoo.errors import UserError

COLOURS = {"cat": (200, 0, 0), "dog": (0, 200, 0), "owl": (0, 0, 200)}


def photos(root, number=10, classes=COLOURS, size=(40, 30)):
    for name in classes:
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(number):
            colour = tuple(c + i for c in COLOURS[name])
            Image.new("RGB", size, colour).save(folder / f"{i}.png")
    return str(root)


def build(path, split, workers=0, encoding=None, augment=None, **options):
    options = {"name": "image_folder", "path": path, "size": 8, **options}
    facts = {"split": split, "workers": workers, "encoding": encoding, "augment": augment}
    return build_dataset(options, **facts)


def test_a_folder_per_class(tmp_path, split):
    path = photos(tmp_path / "photos")
    (tmp_path / "photos" / "cat" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / ".DS_Store").write_bytes(b"\0")
    (tmp_path / "photos" / "dog" / "._1.jpg").write_bytes(b"\0")
    data = build(path, split, augment=Augment(flip=True))
    assert data.facts["input_shape"] == (3, 8, 8)
    assert data.facts["class_names"] == ["cat", "dog", "owl"]
    assert data.facts["class_counts"] == [6, 6, 6] and data.augment is not None
    for source in data.splits.values():
        brightest = source.columns["input"][:, :, 4, 4].argmax(1)
        assert torch.equal(brightest, source.columns["target"]), "labels stay with their images"
    train = data.splits["train"].columns["input"].double() / 255
    assert torch.allclose(train.mean((0, 2, 3)), torch.tensor(data.encoding.mean).double())
    stored = data.splits["train"].fetch(torch.arange(18))
    prepared = data.encoding.prepare(stored)["input"]
    deviation = train.std((0, 2, 3), correction=0)
    expected = (train - train.mean((0, 2, 3))[:, None, None]) / deviation[:, None, None]
    assert torch.allclose(prepared.double(), expected, atol=1e-5)
    assert stored["input"].dtype == torch.uint8 and prepared.dtype == torch.float32


def test_files_decoded_on_demand_equal_those_in_memory(tmp_path, split):
    path = photos(tmp_path / "photos")
    memory, demand = build(path, split), build(path, split, cache_gb=0.0)
    assert not hasattr(demand.splits["train"], "columns")
    assert demand.encoding == memory.encoding and demand.facts == memory.facts
    for part in ("train", "val", "test"):
        one, two = memory.splits[part], demand.splits[part]
        assert len(one) == len(two)
        for i in range(len(one)):
            assert torch.equal(one[i]["input"], two[i]["input"])
            assert one[i]["target"] == two[i]["target"]


def test_worker_processes_give_the_same(tmp_path, split):
    path = photos(tmp_path / "photos", number=30)
    (tmp_path / "photos" / "owl" / "bad.png").write_bytes(b"")  # beyond the first chunk of 64
    options = {"on_broken": "skip"}
    assert build(path, split, 2, **options).sha256 == build(path, split, 0, **options).sha256
    headers = [build(path, split, w, cache_gb=0.0, **options) for w in (0, 2)]
    assert headers[0].notes == headers[1].notes and "owl/bad.png: 0 bytes" in headers[0].notes[0]


def test_split_folders_are_honoured(tmp_path, split):
    photos(tmp_path / "p" / "train", 10)
    photos(tmp_path / "p" / "test", 3)
    data = build(str(tmp_path / "p"), split)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 24, "val": 6, "test": 9}
    assert any("no val folder" in note for note in data.notes)
    photos(tmp_path / "p" / "valid", 2)
    data = build(str(tmp_path / "p"), split)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 30, "val": 6, "test": 9}
    assert data.notes == []
    os.rename(tmp_path / "p" / "test" / "cat", tmp_path / "p" / "test" / "cats")
    with pytest.raises(UserError, match=r"class 'cats' has no images in .*did you mean 'cat'"):
        build(str(tmp_path / "p"), split)


def test_a_list_of_paths_and_labels(tmp_path, split, write):
    photos(tmp_path / "photos")
    lines = [f"{c}/{i}.png,{'bird' if c == 'owl' else 'beast'}" for c in COLOURS for i in range(9)]
    write("photos/labels.csv", "path,label\n" + "\n".join(lines))
    data = build(str(tmp_path / "photos"), split, labels="labels.csv")
    assert (
        data.facts["class_names"] == ["beast", "bird"] and sum(map(len, data.splits.values())) == 27
    )
    columns = data.splits["test"].columns
    assert torch.equal(columns["input"][:, 2, 0, 0] >= 200, columns["target"] == 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\ncat/0.png,a\ncat/99.png,b\n", "line 3: .*cat/99.png: no such file"),
        ("path,label\ncat/0.png,a\ncat/1.png,\n", "line 3: the label is missing"),
        ("path,label\ncat/0.png,a\n,b\n", "line 3: the path is missing"),
        ("path,label\ncat/0.png,a\ncat/0.png,b\n", "line 3: cat/0.png was already on line 2"),
        ("file,label\ncat/0.png,a\n", "no column 'path'"),
        ("path,label\ncat/0.png,a\ncat/1.png,a\n", "all images are of one class, 'a'"),
    ],
)
def test_mistakes_in_the_list_are_named(tmp_path, split, write, content, message):
    photos(tmp_path / "photos")
    write("photos/labels.csv", content)
    with pytest.raises(UserError, match=message):
        build(str(tmp_path / "photos"), split, labels="labels.csv")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A PNG that promises so many pixels in a few bytes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100)))


def jpeg(tmp_path):
    path = tmp_path / "whole.jpg"
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (64, 64, 3), generator=generator).byte()
    Image.fromarray(noise.numpy()).save(path)
    return path.read_bytes()


BROKEN = {
    "empty.jpg": (lambda t: b"", "0 bytes"),
    "text.png": (lambda t: b"hello", "not an image format that Pillow reads"),
    "half.jpg": (lambda t: jpeg(t)[: len(jpeg(t)) // 2], "truncated"),
    "bomb.png": (lambda t: png_header(30000, 20000), "oversized: more than 100,000,000 pixels"),
    "large.png": (lambda t: png_header(12000, 10000), "oversized: 12000x10000 is more than"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_stop_or_are_left_out(tmp_path, split, name):
    path = photos(tmp_path / "photos")
    make, reason = BROKEN[name]
    (tmp_path / "photos" / "cat" / name).write_bytes(make(tmp_path))
    with pytest.raises(UserError) as error:
        build(path, split)
    for part in (f"cat/{name}: {reason}", "1 of 31 images", "data.on_broken=skip"):
        assert part in str(error.value), error.value
    data = build(path, split, on_broken="skip")
    assert sum(map(len, data.splits.values())) == 30
    assert any("1 broken file left out" in n and reason in n for n in data.notes)
    assert data.sha256 == build(photos(tmp_path / "clean"), split).sha256


def test_on_demand_checks_headers_first_and_names_the_file_later(tmp_path, split):
    path = photos(tmp_path / "photos")
    (tmp_path / "photos" / "cat" / "bomb.png").write_bytes(png_header(30000, 20000))
    with pytest.raises(UserError, match=r"cat/bomb.png: oversized"):
        build(path, split, cache_gb=0.0)
    data = build(path, split, cache_gb=0.0, on_broken="skip")
    source = data.splits["val"]
    source.files[0].write_bytes(b"changed since")
    loader = torch.utils.data.DataLoader(source, batch_size=2, num_workers=1)
    with pytest.raises(UserError) as error:
        list(loader)
    assert str(error.value) == f"{source.files[0]}: not an image format that Pillow reads"


def test_many_broken_files_are_counted_and_the_first_named(tmp_path, split):
    path = photos(tmp_path / "photos", 4)
    for i in range(8):
        (tmp_path / "photos" / "dog" / f"x{i}.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"8 of 20 images .*x0.jpg.*x2.jpg: 0 bytes; \.\.\.\)"):
        build(path, split)
    for folder in COLOURS:
        for file in (tmp_path / "photos" / folder).iterdir():
            file.write_bytes(b"")
    with pytest.raises(UserError, match="20 of 20 images"):
        build(path, split, on_broken="skip")


def test_folders_without_classes(tmp_path, split):
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no images; expected a subfolder per class"):
        build(str(tmp_path / "none"), split)
    photos(tmp_path / "photos")
    with pytest.raises(UserError, match="10 images, but no class folders"):
        build(str(tmp_path / "photos" / "cat"), split)
    photos(tmp_path / "single", classes=["cat"])
    with pytest.raises(UserError, match="all images are of one class, 'cat'"):
        build(str(tmp_path / "single"), split)
    with pytest.raises(UserError, match=r"did you mean '.*photos'"):
        build(str(tmp_path / "photo"), split)
    with pytest.raises(UserError, match="this is a file"):
        build(str(tmp_path / "photos" / "cat" / "0.png"), split)
    with pytest.raises(UserError, match="data.path is missing"):
        build(None, split)
    (tmp_path / "photos" / "void").mkdir()
    assert any(
        "void: left out, it has no images" in n
        for n in build(str(tmp_path / "photos"), split).notes
    )


def test_wrong_options_are_named(tmp_path, split):
    path = photos(tmp_path / "photos")
    for option, value in {
        "size": [1, 2, 3],
        "channels": 2,
        "resize": "pad",
        "on_broken": 1,
    }.items():
        with pytest.raises(UserError, match=f"data.{option}"):
            build(path, split, **{option: value})
    with pytest.raises(UserError, match="data.size=0"):
        build(path, split, size=0)


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


def test_a_given_encoding_wins_and_matches_classes(tmp_path, split):
    trained = build(photos(tmp_path / "photos"), split, size=[6, 8], channels=1, resize="squash")
    json_ = trained.encoding.to_json()
    other = photos(tmp_path / "other", 2, classes=["owl", "dog"])
    data = build(other, split, size=64, encoding=json_)
    assert data.encoding == trained.encoding
    assert data.splits["all"].columns["input"].shape == (4, 1, 6, 8)
    assert data.splits["all"].columns["target"].tolist() == [1, 1, 2, 2]
    assert len(build(other, split, cache_gb=0.0, encoding=json_).splits["all"]) == 4
    os.rename(tmp_path / "other" / "owl", tmp_path / "other" / "bat")
    with pytest.raises(UserError, match=r"2 classes \(bat, dog\), the run was trained on 3 \(cat,"):
        build(other, split, encoding=json_)


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
