"""The user's own images and captions: a list beside a folder, and what may be wrong with it."""

import json

import pytest
import torch
from contexts import build_dataset
from sample_images import COLOURS, photos

from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

LINES = [f"{c}/{k}.png,a {c} number {k}" for c in COLOURS for k in range(10)]


@pytest.fixture
def folder(tmp_path, write):
    """A folder of thirty photographs and what its list says."""

    def make(content, name="captions.csv"):
        if not (tmp_path / "photos").exists():
            photos(tmp_path / "photos")
        write(f"photos/{name}", content)
        return str(tmp_path / "photos")

    return make


def built(path, encoding=None, **options):
    options = {"name": "captioned", "path": path, "size": 8, **options}
    shared = {"tokenizer": TokenizerConfig("word", None), "encoding": encoding}
    return build_dataset(options, split=Split(val_fraction=0.2, test_fraction=0.2), **shared)


def test_images_and_captions_belong_together(folder):
    data = built(folder("path,caption\n" + "\n".join(LINES)))
    assert sum(map(len, data.splits.values())) == 30
    columns = data.splits["train"].columns
    brightest = columns["input"].float().mean((2, 3)).argmax(1)  # red, green or blue
    for row, channel in zip(columns["caption"], brightest.tolist(), strict=True):
        assert f"a {list(COLOURS)[channel]} number" in data.encoding.captions.decode(row)


def test_all_captions_of_an_image_are_in_one_split(folder):
    again = [line.replace(",a ", ",here is a ") for line in LINES]
    content = "\n".join(json.dumps({"image": p, "text": t}) for p, t in
                        (line.split(",") for line in LINES + again))  # fmt: skip
    data = built(folder(content, "all.jsonl"), captions="all.jsonl")
    assert {name: len(source) for name, source in data.splits.items()} == {
        "train": 36, "val": 12, "test": 12
    }  # fmt: skip
    for source in data.splits.values():
        assert (source.columns["input"].unique(dim=0, return_counts=True)[1] == 2).all()
        first, second = source.columns["picture"].sort()[0].view(-1, 2).T
        assert torch.equal(first, second) and len(first.unique()) == len(first)
    assert "picture" not in built(folder("path,caption\n" + "\n".join(LINES))).splits["val"].columns


def test_a_column_gives_the_splits(folder):
    lines = [f"{line},{'test' if k % 3 == 0 else 'train'}" for k, line in enumerate(LINES)]
    data = built(folder("file,caption,split\n" + "\n".join(lines)))
    assert len(data.splits["test"]) == 10 and len(data.splits["val"]) == 4
    assert torch.isin(data.splits["test"].columns["group"], torch.arange(30)).all()
    twice = [*lines, lines[0].replace("test", "train")]
    with pytest.raises(UserError, match=r"0\.png is listed in the splits test and train"):
        built(folder("path,caption,split\n" + "\n".join(twice)))


def test_a_picture_in_train_and_test_is_said(folder, tmp_path):
    lines = [f"{line},{'test' if k % 3 == 0 else 'train'}" for k, line in enumerate(LINES)]
    path = folder("path,caption,split\n" + "\n".join([*lines, "copy.png,a copy,test"]))
    trained = next(line for line in lines if line.endswith("train")).split(",")[0]
    (tmp_path / "photos" / "copy.png").write_bytes((tmp_path / "photos" / trained).read_bytes())
    said = "the same picture is in train and in another split, which makes its score better: 1 pict"
    data = built(path)
    assert sum(said in note for note in data.notes) == 1
    evaluated = built(path, encoding=data.encoding.to_json())
    assert not any("same picture" in note for note in evaluated.notes)


def test_captions_that_are_read_alike_are_equal(folder):
    signs = ["a {}", "A {}.", " a  {}!"]
    lines = [f"{c}/{k}.png,{signs[k % 3].format(c)}" for c in COLOURS for k in range(10)]
    data = built(folder("path,caption\n" + "\n".join(lines)))
    every = torch.cat([source.columns["group"] for source in data.splits.values()])
    assert every.unique(return_counts=True)[1].tolist() == [10, 10, 10]
    assert any("6 captions counted as equal to others" in n for n in data.notes)
    assert data.notes[0].startswith("train 18 images of 3 captions")


def test_captions_without_a_word_are_refused_with_their_line(folder):
    odd = [*LINES[:6], "cat/7.png,!", "cat/8.png,?", "cat/9.png,!"]
    with pytest.raises(UserError, match=r"captions.csv, line 8: the caption '!' has no words \(l"):
        built(folder("path,caption\n" + "\n".join(odd)))


def test_captions_that_are_cut_off_are_counted(folder):
    lines = [f"{line} {'and so on ' * 5 * (k < 2)}" for k, line in enumerate(LINES)]
    path = folder("path,caption\n" + "\n".join(lines))
    said = "2 captions of more than 10 tokens (up to 19) truncated"
    assert any(said in note for note in built(path, block_size=10).notes)
    short = built(path)
    assert not any("truncated" in note for note in short.notes)
    trained = short.encoding.to_json() | {"length": 4}  # on shorter ones
    assert any("2 captions of more than 4" in n for n in built(path, encoding=trained).notes)


MISTAKES = {
    "path,caption\ncat/0.png,\n": "captions.csv, line 2: the caption is missing",
    "path,caption\n,a cat\n": "line 2: the path is missing",
    "path,caption\ncat/77.png,a cat\n": r"line 2: .*cat/77.png: no such file",
    "path,words\ncat/0.png,a cat\n": r"no column 'caption' \(there are: path, words\); expected a "
    "header with path and caption",
    "path,caption\n": "captions.csv: ",
}


@pytest.mark.parametrize("content", MISTAKES)
def test_a_mistake_in_the_list(folder, content):
    with pytest.raises(UserError, match=MISTAKES[content]):
        built(folder(content))


def test_other_mistakes(folder, tmp_path, write):
    with pytest.raises(UserError, match="data.path is missing: the folder of images"):
        built(None)
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        built(str(tmp_path / "nowhere"))
    path = folder("path,caption\n" + "\n".join(LINES))
    with pytest.raises(UserError, match=r"other.csv: no such file"):
        built(path, captions="other.csv")
    write("photos/cat/3.png", "no image")
    with pytest.raises(UserError, match=r"1 of 30 images cannot be used \(.*3.png: .*take them"):
        built(path)
