"""Which images there are: folders of classes, of splits, and lists."""

import os
from collections import Counter

import pytest
from sample_images import build, photos

from zoo.data.images.index import index_folders
from zoo.errors import UserError


def test_split_folders_are_honoured(tmp_path, split):
    photos(tmp_path / "p" / "train", 10)
    photos(tmp_path / "p" / "test", 3)
    data = build(str(tmp_path / "p"), split)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 24, "val": 6, "test": 9}
    assert any("no val images" in note for note in data.notes)
    photos(tmp_path / "p" / "valid", 2)
    data = build(str(tmp_path / "p"), split)
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 30, "val": 6, "test": 9}
    assert data.notes[0] == "classes: cat (15), dog (15), owl (15)"
    assert not any("no val" in note for note in data.notes)
    (tmp_path / "p" / "test" / "cat").rename(tmp_path / "p" / "test" / "cats")
    with pytest.raises(UserError, match=r"class 'cats' has no images in .*did you mean 'cat'"):
        build(str(tmp_path / "p"), split)


def test_folders_without_classes(tmp_path, split):
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no images; expected a subfolder per class"):
        build(str(tmp_path / "none"), split)
    photos(tmp_path / "photos")
    photos(tmp_path / "single" / "all", classes=["cat"])
    with pytest.raises(UserError, match="all images are of one class, 'all'; did you mean .*all"):
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


def test_a_folder_of_images_is_one_class(tmp_path, split, monkeypatch):
    """As models that draw need no others; in a folder of its own or not."""
    photos(tmp_path / "photos", classes=["cat"])
    for path in (tmp_path / "photos", tmp_path / "photos" / "cat"):
        data = build(str(path), split)
        assert data.facts["class_names"] == ["cat"] and sum(map(len, data.splits.values())) == 10
    note = f"{path} has no class folders: all images are of one class, 'cat'"
    assert note in data.notes and not any("left out" in line for line in data.notes)
    monkeypatch.chdir(path)
    assert build(".", split).facts["class_names"] == ["cat"]
    photos(tmp_path / "others", classes=["dog"])
    again = build(str(tmp_path / "others"), split, encoding=data.encoding.to_json())
    assert again.splits["all"].columns["target"].tolist() == [0] * 10


def index(root, files, is_new=True):
    """The index of empty files, as {(split, class): count}; and its notes."""
    for name in files.split():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    found = index_folders(root, is_new)
    return dict(Counter(zip(found.splits, found.names, strict=True))), " | ".join(found.notes)


SPLIT = "train/a/1.jpg train/b/2.jpg val/a/3.jpg val/b/4.jpg"
CLASSES = {(None, "a"): 1, (None, "b"): 1}
BOTH = CLASSES | {("val", "a"): 1, ("val", "b"): 1}


@pytest.mark.parametrize(
    ("files", "expected", "note"),
    [
        (f"{SPLIT} annotations/1.xml", BOTH, "annotations: left out, it has no images"),
        (f"{SPLIT} __MACOSX/train/a/._1.jpg __MACOSX/a.jpg", BOTH, "no test images"),
        (f"{SPLIT} masks/1.png", BOTH, "masks: 1 image left out"),
        (f"{SPLIT} test/1.jpg test/2.jpg", BOTH, "test: 2 images left out, without class folders"),
        (f"{SPLIT} train/3.jpg", BOTH, "1 image directly in"),
        (f"{SPLIT} readme.png", BOTH, "1 image beside the folders"),
        (SPLIT.replace("val", "dev"), BOTH, "no test images"),
        (SPLIT.replace("val", "Valid"), BOTH, ""),
        (SPLIT.replace("val", "EVAL").replace("train", "TRAIN"), BOTH, ""),
        (SPLIT.replace("val", "val2017").replace("train", "train2017"), BOTH, ""),
        (f"{SPLIT} dev/a/5.jpg", BOTH | {("val", "a"): 2}, "dev and val are both read as val"),
        (
            "training_set/training_set/a/1.jpg training_set/training_set/b/2.jpg "
            "test_set/test_set/a/1.jpg",
            CLASSES | {("test", "a"): 1},
            "no val images",
        ),
        (  # as a collection of landscapes has it
            "seg_train/seg_train/a/1.jpg seg_train/seg_train/b/2.jpg seg_pred/seg_pred/1.jpg "
            "seg_test/seg_test/a/1.jpg seg_test/seg_test/b/1.jpg",
            CLASSES | {("test", "a"): 1, ("test", "b"): 1},
            "seg_pred: 1 image left out, it is no split",
        ),
        (
            f"{SPLIT} evaluation/a/5.jpg evaluation/b/6.jpg".replace("val/", "validation/"),
            BOTH | {("test", "a"): 1, ("test", "b"): 1},
            "",
        ),
        (SPLIT.replace("train", "训练集").replace("val", "验证集"), BOTH, "no test images"),
        (SPLIT.replace("val/b", "val/a"), CLASSES | {("val", "a"): 2}, "val has no images of b"),
        (
            "test_tube/1.jpg test_paper/2.jpg train_car/3.jpg",
            {(None, "test_tube"): 1, (None, "test_paper"): 1, (None, "train_car"): 1},
            "",
        ),
        ("a/1.jpg b/1.jpg test/a/1.jpg", CLASSES | {("test", "a"): 1}, "a, b: read as training"),
        (
            "a/train/1.jpg b/train/1.jpg a/test/1.jpg b/test/2.jpg",
            CLASSES | {("test", "a"): 1, ("test", "b"): 1},
            "subfolders of each class",
        ),
        ("a/1.jpg b/1.jpg b/.thumbnails/2.jpg", CLASSES, "1 image left out: hidden (b/.thumbnails"),
        ("a/x/1.jpg a/y/1.jpg b/1.jpg", CLASSES | {(None, "a"): 2}, "subfolders (a/x) belong to"),
        ("train/1.jpg bus/1.jpg", {(None, "train"): 1, (None, "bus"): 1}, "'train' is read as a"),
        ("a/1.jpg b/1.jpg b/1.xml b/2.xml", CLASSES, "2 files left out, no images: 2 .xml"),
        ("a/1.jpg b/1.jpg b/1.heic", CLASSES, "1 .heic; convert .heic to .jpg"),
    ],
)
def test_folders_are_splits_or_classes_by_what_they_hold(tmp_path, files, expected, note):
    found, notes = index(tmp_path, files)
    assert found == expected and note in notes


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            "train/a/1.jpg train/b/1.jpg bus/1.jpg",
            "train holds classes as a split does.*bus with 1",
        ),
        ("val/a/1.jpg val/b/1.jpg c/1.jpg", "val is divided into classes.*no train folder"),
        ("train/1.jpg test/1.jpg", "test and train are splits by their names, but have no class"),
        ("train/1.jpg val/a/1.jpg", "train: 1 image, but no class folders"),
        ("train/a/1.jpg val/b/1.jpg", "the class 'b' has no images in .*train"),
        ("cat_train/1.jpg cat_test/1.jpg dog_train/1.jpg dog_test/1.jpg", "are splits by their"),
        ("images/1.jpg masks/1.png", "images and masks are pictures and what is drawn over them"),
        (".a/1.jpg", r"no images; expected|no images \("),
    ],
)
def test_folders_that_can_be_read_in_two_ways_are_refused(tmp_path, files, message):
    with pytest.raises(UserError, match=message):
        index(tmp_path, files)


def test_a_trained_run_needs_no_training_split(tmp_path):
    assert index(tmp_path, "test/a/1.jpg", is_new=False)[0] == {("test", "a"): 1}
    assert index(tmp_path / "one", "a/1.jpg", is_new=False)[0] == {(None, "a"): 1}


def test_names_of_classes_are_text(tmp_path):
    """Of bytes that are not UTF-8, and of a Mac, whose é is an e and an accent."""
    for name in (b"caf\xe9", "cafe\u0301".encode(), b"plain"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        (folder / "1.jpg").write_bytes(b"")
    names = index_folders(tmp_path, True).classes
    assert names == ["caf\\xe9", "café", "plain"] and "\n".join(names).encode()


def test_the_folder_that_was_meant_is_named(tmp_path, split):
    photos(tmp_path / "data" / "PetImages")
    with pytest.raises(UserError, match=r"did you mean data.path=.*PetImages \(cat, dog, owl\)"):
        build(str(tmp_path / "data"), split)
