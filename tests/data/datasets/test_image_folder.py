"""The user's own images: both layouts, decoding, and each broken file named before training."""

import json
import os

import numpy as np
import pytest
import torch
from contexts import build_dataset
from PIL import Image
from sample_images import COLOURS, build, photos, png_header

from zoo.batch import spread
from zoo.commands.evaluate import main as evaluate_main
from zoo.commands.predict import main as predict_main
from zoo.data.images.augment import Augment
from zoo.data.images.reader import ImageReader
from zoo.errors import UserError


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
    for size in (0, [0, 5], 100_000, [3]):
        with pytest.raises(UserError, match=r"data.size=\[?[013]"):
            build(path, split, size=size)


def test_a_given_encoding_wins_and_matches_classes(tmp_path, split):
    trained = build(photos(tmp_path / "photos"), split, size=[6, 8], channels=1, resize="squash")
    json_ = trained.encoding.to_json()
    other = photos(tmp_path / "other", 2, classes=["owl", "dog"])
    data = build(other, split, size=64, encoding=json_)
    assert data.encoding == trained.encoding
    assert data.splits["all"].columns["input"].shape == (4, 1, 6, 8)
    assert data.splits["all"].columns["target"].tolist() == [1, 1, 2, 2]
    assert len(build(other, split, cache_gb=0.0, encoding=json_).splits["all"]) == 4
    (tmp_path / "other" / "owl").rename(tmp_path / "other" / "bat")
    with pytest.raises(UserError, match=r"2 classes \(bat, dog\), the run was trained on 3 \(cat,"):
        build(other, split, encoding=json_)


def test_names_that_are_not_utf8_serve_a_whole_run(tmp_path, train, with_previews, capsys):
    """Folders from an archive of another system, and one whose name is half a formula."""
    root = tmp_path / os.fsdecode(b"phot\xe9s")
    for k, name in enumerate((b"caf\xe9", b"$x_{$")):
        (root / os.fsdecode(name)).mkdir(parents=True)
        for i in range(8):
            noise = np.random.default_rng(10 * k + i).integers(0, 256, (12, 9, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / os.fsdecode(name) / f"{i}.png")
    settings = ("model=mlp", "model.width=4", "trainer.max_steps=2", "trainer.precision=fp32")
    more = ("data=image_folder", f"data.path={root}", "data.size=[6,9]")
    done = train(*settings, *more)
    warnings = [line for line in done.out.splitlines() if line.startswith("warning")]
    assert done.code == 0 and all("no better" in line for line in warnings), done.out + done.err
    assert "input 3x6x9" in done.out and "classes: $x_{$ (8), caf\\xe9 (8)" in done.out
    assert len(list((done.path / "previews").glob("*_full-*.png"))) == 3
    again = train(f"resume={done.path}", "trainer.max_steps=3")
    assert again.code == 0, again.err
    assert evaluate_main([f"run={done.path}"]) == 0
    assert "caf\\xe9" in capsys.readouterr().out
    (root / "$x_{$" / ".hidden").mkdir()
    (root / "$x_{$" / "0.png").rename(root / "$x_{$" / ".hidden" / "0.png")
    assert evaluate_main([f"run={done.path}", f"data.path={root}/."]) == 0
    assert "note: 1 image left out: hidden" in capsys.readouterr().err
    assert predict_main([f"run={done.path}", f"input={root}"]) == 0
    assert "phot" in capsys.readouterr().out


def test_an_image_may_have_several_labels(train, tmp_path, capsys):
    """Each colour channel that is bright is a label; a black image has none."""
    root, lines = tmp_path / "photos", ["path,label,split"]
    root.mkdir()
    for i in range(64):
        bright = [k for k in range(3) if i >> k & 1]
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[..., bright] = 180 + i
        Image.fromarray(pixels).save(root / f"{i}.png")
        split = "test" if i % 8 == i // 8 else "train"
        lines.append(f"{i}.png,{';'.join(('red', 'green', 'blue')[k] for k in bright)},{split}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    trained = train(
        "model=cnn", "model.width=4", "model.stages=2", "model.blocks=1", "data=image_folder",
        f"data.path={root}", "data.labels=labels.csv", "data.size=8", "task=multi_label",
        "optim.lr=2e-2", "trainer.max_steps=60", "trainer.eval_steps=30", "trainer.precision=fp32",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert "3 labels" in trained.out and "labels: blue (32), green (32), red (32)" in trained.out
    test = json.loads((trained.path / "result.json").read_text())["test"]
    assert test["average_precision"] > 0.9 and test["macro_f1"] > 0.8
    run = f"run={trained.path}"
    assert predict_main([run, f"input={root / '6.png'}", "json=true", "device=cpu"]) == 0
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(row["probabilities"]) == {"red", "green", "blue"} and "green" in row["labels"]
    (root / "new.csv").write_text("path,label\n3.png,green;red\n0.png,\n")
    ask = [run, "data.labels=new.csv", "device=cpu", "json=true"]
    assert evaluate_main(ask) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["details"]["labels"]
    assert [rows[name]["support"] for name in ("red", "green", "blue")] == [1, 1, 0]
    (root / "new.csv").write_text("path,label\n3.png,gren\n")
    assert evaluate_main(ask) == 2
    assert "the label 'gren', which the run was not trained on; did you" in capsys.readouterr().err


def test_several_labels_need_a_list(tmp_path, split):
    root = photos(tmp_path / "photos")
    with pytest.raises(UserError, match="need a list of them: data.labels=labels.csv"):
        build(root, split, kind="multi_label")
    with pytest.raises(UserError, match="data.separator=';' stands between the labels of a cell"):
        build(root, split, separator=";")


@pytest.mark.parametrize("layout", ["classes", "splits", "labels"])
def test_a_handful_of_a_large_folder_is_all_that_is_decoded(tmp_path, split, monkeypatch, layout):
    root, options = tmp_path / "photos", {"name": "image_folder", "size": 8}
    if layout == "splits":
        for part, number in (("train", 12), ("val", 6), ("test", 4)):
            photos(root / part, number)
    else:
        photos(root, 20)
    if layout == "labels":
        rows = [f"{f.relative_to(root)},{f.parent.name};pet" for f in sorted(root.rglob("*.png"))]
        (root / "labels.csv").write_text("\n".join(["path,label", *rows]))
        options |= {"labels": "labels.csv", "kind": "multi_label"}
    options["path"] = str(root)
    whole = build_dataset(options, split=split)
    decoded, read = [], ImageReader.read_and_look
    noted = lambda reader, file: decoded.append(file) or read(reader, file)  # noqa: E731
    monkeypatch.setattr(ImageReader, "read_and_look", noted)
    few = build_dataset(options, split=split, max_samples=5)
    assert len(decoded) == len(set(decoded)) == 15
    names = "label_names" if layout == "labels" else "class_names"
    assert few.facts[names] == whole.facts[names]
    for name in ("train", "val", "test"):
        numbers = spread(len(whole.splits[name]), 5)
        expected, got = (data.splits[name].columns for data in (whole, few))
        assert torch.equal(expected["input"][numbers], got["input"]), name
        assert torch.equal(expected["target"][numbers], got["target"])
    again = build_dataset(options, split=split, max_samples=5, encoding=few.encoding.to_json())
    assert again.sha256 == few.sha256
    assert torch.equal(again.splits["test"].columns["input"], few.splits["test"].columns["input"])


def test_a_debug_run_of_a_folder_is_evaluated_on_its_handful(train, tmp_path, capsys):
    photos(tmp_path / "photos", 30, size=(8, 8))
    data = (f"data.path={tmp_path / 'photos'}", "data.size=8", "data.test_fraction=0.5")
    trained = train(
        "model=mlp", "trainer=debug", "trainer.max_samples=20", "data=image_folder", *data
    )
    assert trained.code == 0 and "only 20 of each split are used" in trained.out, trained.err
    assert evaluate_main([f"run={trained.path}", "json=true"]) == 0
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    (warning,) = outcome["warnings"]  # none that the data changed
    assert outcome["samples"] == 20 and "20 samples are used" in warning
    assert outcome["metrics"] == json.loads((trained.path / "result.json").read_text())["test"]
