"""Which images there are: folders of classes, of splits, and lists."""

import pytest
import torch
from sample_images import COLOURS, build, photos

from zoo.errors import UserError


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
    (tmp_path / "p" / "test" / "cat").rename(tmp_path / "p" / "test" / "cats")
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
