"""Images that a CSV file lists."""

import pytest
import torch
from sample_images import COLOURS, build, photos

from zoo.data.images.listed import index_listed
from zoo.errors import UserError

FILES = ("cat/1.JPG", "dog/2.jpg", "dog/old/1.png")


@pytest.fixture
def listed(tmp_path, write):
    """Empty files by what a CSV file says, (file, class, split) each; and the notes."""

    def read(content):
        for name in FILES:
            write(f"photos/{name}", "")
        write("photos/labels.csv", content)
        root = tmp_path / "photos"
        found = index_listed(root, "labels.csv", is_new=True)
        names = [file.relative_to(root).as_posix() for file in found.files]
        return list(zip(names, found.names, found.splits, strict=True)), " | ".join(found.notes)

    return read


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
        ("where,label\ncat/0.png,a\n", "no column 'path'"),
    ],
)
def test_mistakes_in_the_list_are_named(tmp_path, split, write, content, message):
    photos(tmp_path / "photos")
    write("photos/labels.csv", content)
    with pytest.raises(UserError, match=message):
        build(str(tmp_path / "photos"), split, labels="labels.csv")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("cat/1.JPG", "cat/1.JPG"),
        ("cat\\1.JPG", "cat/1.JPG"),
        ("cat/1.jpg", "cat/1.JPG"),
        ("./CAT/1", "cat/1.JPG"),
        ("2", "dog/2.jpg"),
        ("C:\\photos\\2.jpg", "dog/2.jpg"),
        ("dog/old/1", "dog/old/1.png"),
    ],
)
def test_paths_are_found_however_they_are_written(listed, path, file):
    found, notes = listed(f"path,label\n{path},a\n")
    assert found == [(file, "a", None)]
    assert ("1 of 1 paths of labels.csv are not written as" in notes) == (path != file)


def test_names_of_several_files_and_all_mistakes_are_reported(listed):
    with pytest.raises(UserError, match=r"line 2: '1' may be .*1.JPG or .*1.png"):
        listed("path,label\n1,a\n")
    lines = "".join(f"{name},a\n" for name in ("x", "y", "2", "", "z"))
    with pytest.raises(UserError, match=r"line 2: .*x: no .*; line 3: .*; line 5: .* 1 more line$"):
        listed(f"path,label\n{lines}")


def test_columns_of_usual_names_and_words_that_are_classes(listed):
    for header in ("image_id,class", "File,Category", "id,path,label"):
        rows = "7,2.jpg,NA" if header.startswith("id") else "2.jpg,NA"
        assert listed(f"{header}\n{rows}\n")[0] == [("dog/2.jpg", "NA", None)]


def test_a_column_of_splits_is_used(listed):
    found, notes = listed("path,label,split\n2,a,train\ncat/1,a,Validation\n")
    assert [split for _, _, split in found] == [None, "val"] and "no test images" in notes
    with pytest.raises(UserError, match=r"line 2: the split is 'left'.*\(1 of 2 are none\)"):
        listed("path,label,split\n2,a,left\ncat/1,a,train\n")
    found, notes = listed("path,label,split\n2,a,left\ncat/1,a,right\n")
    assert [split for _, _, split in found] == [None, None] and "'left' is none of" in notes


def test_the_list_may_be_in_another_encoding_and_says_so(listed):
    rows, notes = listed("path;label\ncat/1.JPG;猫\ndog/2.jpg;北京狗\n".encode("gb18030"))
    assert [name for _, name, _ in rows] == ["猫", "北京狗"]
    assert "labels.csv is read as GB18030" in notes
