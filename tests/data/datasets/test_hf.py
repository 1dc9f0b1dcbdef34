"""Hugging Face datasets: what a stand-in shows, and files read by the library where it is there."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from contexts import build_dataset, context
from PIL import Image
from sample_hub import Rows

from zoo.batch import spread
from zoo.data.datasets import hf
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

SPLIT = Split(val_fraction=0.2, test_fraction=0.2)
BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)


def build(path, root=None, encoding=None, tokenizer=BYTES, block_size=8, **options):
    options = {"name": "hf", "path": path, "root": str(root), **options}
    options["block_size"] = block_size
    return build_dataset(options, split=SPLIT, tokenizer=tokenizer, encoding=encoding)


def words(kind, start, stop):
    return [f"{kind} {i}" for i in range(start, stop)]


def stream(data, split):
    source = data.splits[split]
    windows = source.fetch(torch.arange(len(source)), torch.zeros(len(source)))["input"]
    return data.encoding.tokenizer.decode(windows[:, :-1].flatten().tolist())


def test_running_text_keeps_the_splits_and_ends_each_row_with_a_newline(library, tmp_path):
    library["wiki", "small"] = {
        "train": Rows(text=["one two\n", "", "three four"]),
        "validation": Rows(text=["five six seven"]),
        "test": Rows(text=["eight nine ten"]),
        "extra": Rows(text=["eleven"]),
    }
    data = build("wiki", tmp_path, subset="small")
    assert stream(data, "train") == "one two\n\nthree four\n"[:16]
    assert stream(data, "val") == "five six" and stream(data, "test") == "eight ni"
    assert "wiki: splits not used: extra (1 row)" in data.notes
    again = build("wiki", tmp_path, subset="small", encoding=data.encoding.to_json())
    assert {split: len(s) for split, s in again.splits.items()}["all"] == 6


def test_running_text_without_splits_is_cut_from_the_end(library, tmp_path):
    library["books", None] = {"train": Rows(content=[f"{i:06}\n" * 2 for i in range(20)])}
    data = build("books", tmp_path, block_size=7)
    read = {split: stream(data, split).split() for split in data.splits}
    assert read["train"][0] == "000000" and read["train"][-1] == "000011"
    assert read["val"][0] == "000012" and read["test"][0] == "000016"


def test_labelled_text_keeps_the_test_split_and_the_names_of_classes(library):
    label = SimpleNamespace(names=["neg", "pos"])
    library["imdb", None] = {
        "train": Rows({"label": label}, text=words("a", 0, 40), label=[i % 2 for i in range(40)]),
        "test": Rows({"label": label}, text=words("b", 0, 10), label=[1] * 10),
        "unsupervised": Rows({"label": label}, text=words("c", 0, 10), label=[-1] * 10),
    }
    data = build("imdb", kind="labelled_text")
    assert {s: len(source) for s, source in data.splits.items()} == {
        "train": 32,
        "val": 8,
        "test": 10,
    }
    batch = data.splits["test"].fetch(torch.arange(10))
    assert batch["target"].tolist() == [1] * 10 and data.facts["class_names"] == ["neg", "pos"]
    assert data.encoding.tokenizer.decode(batch["input"][3].tolist()) == "b 3"


def test_rows_without_a_text_are_left_out_and_said(library):
    texts = words("a", 0, 38)
    library["mails", None] = {
        "train": Rows(text=[None, *texts, " "], label=[None, *([0, 1] * 19), 9]),
        "test": Rows(text=["b 0", "", "b 2"], label=[1, 0, 0]),
    }
    data = build("mails", kind="labelled_text")
    assert (
        data.facts["class_names"] == ["0", "1"] and "3 rows without a text left out" in data.notes
    )
    rows = data.splits["test"].fetch(torch.arange(2))
    decode = data.encoding.tokenizer.decode
    assert [decode(row.tolist()) for row in rows["input"]] == ["b 0", "b 2"]
    assert rows["target"].tolist() == [1, 0]
    library["opus", None] = {"train": Rows(source=["", *texts], target=[*texts, None])}
    data = build("opus", kind="pairs")
    assert sum(map(len, data.splits.values())) == 37
    assert "2 rows without a text left out" in data.notes


def test_pairs_may_lie_in_fields_of_one_column(library):
    cells = [{"en": f"one {i}", "de": f"eins {i}"} for i in range(20)]
    feature = {"translation": {"en": None, "de": None}}
    library["opus", None] = {
        "train": Rows(feature, translation=cells),
        "test": Rows(feature, translation=[{"en": "last", "de": "letzte"}]),
    }
    data = build("opus", kind="pairs", input="translation.en", target="translation.de")
    assert {s: len(source) for s, source in data.splits.items()} == {
        "train": 16,
        "val": 4,
        "test": 1,
    }
    batch = data.splits["test"].fetch(torch.tensor([0]), torch.tensor([0]))
    shown = {name: data.encoding.tokenizer.decode(rows[0].tolist()) for name, rows in batch.items()}
    assert shown == {"source": "last", "target": "letzte"}


def test_folds_of_pairs_mix_the_splits_in(library):
    library["opus", None] = {
        split: Rows(source=words(split, 0, n), target=words("t", 0, n))
        for split, n in (("train", 8), ("validation", 2), ("test", 2))
    }
    seen = set()
    for fold in (0, 1):
        data = hf.hf(context(Split(folds=2, fold=fold), tokenizer=BYTES), 8, "opus", kind="pairs")
        test = data.splits["test"].fetch(torch.arange(6), torch.zeros(6))["source"]
        seen |= {tuple(row) for row in test.tolist()}
    assert len(seen) == 12, "each pair is tested once"


def test_images_of_16_bits_are_read_by_one_range(library):
    def image(level):
        return Image.fromarray(np.full((9, 12), level, np.uint16))

    rows = Rows(img=[image(200 * i) for i in range(20)], label=["dark", "light"] * 10)
    library["scans", None] = {"train": rows}
    data = build("scans", kind="images", size=4, channels=1)
    assert data.encoding.levels == (0, 4096)
    values = {int(v) for source in data.splits.values() for v in source.columns["input"].unique()}
    assert values == {200 * i >> 4 for i in range(20)}
    assert any("20 images of more than 8 bits with values 0..3800" in note for note in data.notes)
    assert "classes: dark (10), light (10)" in data.notes


def test_running_text_has_no_target(library):
    library["imdb", None] = {"train": Rows(text=words("a", 0, 9), label=[0] * 9)}
    with pytest.raises(UserError, match="data.target=label: data.kind=text reads running text al"):
        build("imdb", target="label")


def test_images_are_fitted_to_the_size_and_keep_their_classes(library):
    def image(level):
        return Image.fromarray(np.full((9, 12, 3), level, np.uint8))

    train = Rows(img=[image(10 * i) for i in range(20)], label=["dark", "light"] * 10)
    dev = Rows(img=[image(200)] * 2, label=["light", "dark"])
    library["photos", None] = {"train": train, "dev": dev}
    data = build("photos", kind="images", size=[4, 5])
    assert data.facts["input_shape"] == (3, 4, 5) and data.facts["class_names"] == ["dark", "light"]
    assert {s: len(source) for s, source in data.splits.items()} == {
        "train": 16,
        "val": 2,
        "test": 4,
    }
    assert data.splits["val"].columns["target"].tolist() == [1, 0]
    for split in ("train", "test"):
        columns = data.splits[split].columns
        levels = columns["input"][:, 0, 0, 0] // 10
        assert torch.equal(levels % 2, columns["target"].to(torch.uint8))


TEXTS = Rows(text=words("a", 0, 30), label=[i % 2 for i in range(30)])


@pytest.mark.parametrize(
    ("splits", "options", "said"),
    [
        ({"train": TEXTS}, {"path": None}, "data.path is missing"),
        ({"train": TEXTS}, {"path": "other"}, "data.path=other cannot be loaded: Couldn't find"),
        ({"train": TEXTS}, {"path": "./x.csv"}, "x.csv: no such file or folder"),
        ({"all": TEXTS}, {}, "no split named train (there are: all)"),
        (ValueError("Config name is missing: a, b"), {}, "missing: a, b; set data.subset"),
        ({"train": TEXTS}, {"input": "txt"}, "data.input: unknown column 'txt'; did you mean"),
        ({"train": Rows(x=["a"])}, {}, "data.input is missing: which column? (one of: x)"),
        ({"train": TEXTS}, {"input": "label"}, "'label' holds ints, expected texts"),
        ({"train": Rows(text=["a"] * 2)}, {}, "expected 3 rows or more to split, got 2"),
        (
            {"train": Rows(text=["a", "b"], label=[0, -1])},
            {"kind": "labelled_text"},
            "row 1 of the train split has no class in 'label'",
        ),
        (
            {"train": Rows(text=["", "b", "c"], label=[None, 1.0, float("nan")])},
            {"kind": "labelled_text"},
            "row 2 of the train split has no class in 'label'",
        ),
        (
            {"train": Rows(text=["a", "b"], label=["x", " "])},
            {"kind": "labelled_text"},
            "row 1 of the train split has no class in 'label'",
        ),
        (
            {"train": Rows(text=[None, " "], label=[0, 1])},
            {"kind": "labelled_text"},
            "data.input: 'text' is empty in every row",
        ),
        (
            {"train": Rows(text=["a", "b"], label=[3, 3])},
            {"kind": "labelled_text"},
            "the column 'label' is '3' in every row",
        ),
        (
            {"train": Rows(text=["a", "b"], label=[["x"], ["x", "y"]])},
            {"kind": "labelled_text"},
            "'label' holds several values a row (row 0 of the train split: ['x']); data=hf reads",
        ),
        (
            {"train": TEXTS},
            {"kind": "labelled_text", "target": "text"},
            "'text' has 30 distinct values in 30 rows",
        ),
        (
            {"train": Rows(image=[None] * 4, label=[0, 1] * 2)},
            {"kind": "images"},
            "data.input: 'image', row 0 of train",
        ),
        (
            {"train": Rows(image=[None] * 40, label=[0, 1] * 20)},
            {"kind": "images", "size": 10_000},
            "more than the 8 GB that are held in memory; lower data.size",
        ),
    ],
)
def test_mistakes_are_one_line_each(library, tmp_path, splits, options, said):
    library["some", None] = splits
    with pytest.raises(UserError) as caught:
        build(**{"path": "some", "root": tmp_path, **options})
    assert said in str(caught.value)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """The real library, which may not reach the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    return pytest.importorskip("datasets")


def test_reads_files_of_lines_tables_and_json(offline, write, tmp_path):
    path = write("a.txt", "".join(f"{i:06}\n" for i in range(20)))
    assert stream(build(path, tmp_path, block_size=7), "train").split()[0] == "000000"
    path = write("a.csv", "text,label\n" + "".join(f"t {i},{'xy'[i % 2]}\n" for i in range(20)))
    assert build(path, kind="labelled_text").facts["class_counts"] == [6, 6]
    lines = [json.dumps({"t": {"en": f"a {i}", "de": f"b {i}"}}) for i in range(20)]
    path = write("a.jsonl", "\n".join(lines))
    data = build(path, kind="pairs", input="t.en", target="t.de")
    assert len(data.splits["train"]) == 12


def test_words_that_some_programs_take_for_no_value_are_texts(offline, write):
    words = ["NA", "null", "None", "nan", "a b"]
    rows = "".join(f"{word},{word.lower()}\n" for word in words * 4)
    path = write("a.csv", "en,de\n" + rows)
    data = build(path, kind="pairs", input="en", target="de")
    assert sum(len(split) for split in data.splits.values()) == 4 * len(words)


def test_reads_a_folder_of_images(offline, tmp_path):
    for part, number in (("train", 12), ("test", 3)):
        for level, kind in enumerate(("dark", "light")):
            folder = tmp_path / "photos" / part / kind
            folder.mkdir(parents=True)
            for i in range(number):
                Image.fromarray(np.full((6, 8, 3), 200 * level, np.uint8)).save(folder / f"{i}.png")
    data = build(str(tmp_path / "photos"), kind="images", size=4)
    assert {s: len(source) for s, source in data.splits.items()}["test"] == 6
    columns = data.splits["train"].columns
    assert torch.equal(columns["input"][:, 0, 0, 0] // 200, columns["target"].to(torch.uint8))


@pytest.mark.parametrize(
    ("kind", "shared", "words"),
    [
        ("text", {"split": Split(train_size=5)}, "data.train_size=5 is for samples with a class"),
        ("pairs", {"label_noise": 0.1}, "data.label_noise=0.1 is for samples with a class"),
        ("labelled_text", {"test_shift": 1}, "data.test_shift moves images; with data.kind=labell"),
    ],
)
def test_settings_of_other_kinds_are_refused(kind, shared, words):
    options = {"name": "hf", "path": "any", "kind": kind, "block_size": 8}
    with pytest.raises(UserError, match=words):
        build_dataset(options, **shared)


def test_a_handful_of_images_is_all_that_is_decoded(library, monkeypatch):
    def image(level):
        return Image.fromarray(np.full((9, 12, 3), level, np.uint8))

    train = Rows(img=[image(5 * i) for i in range(40)], label=["dark", "light"] * 20)
    library["photos", None] = {"train": train, "test": Rows(img=[image(9)] * 9, label=["dark"] * 9)}
    options = {"name": "hf", "path": "photos", "kind": "images", "size": 4, "block_size": 8}
    whole = build_dataset(options, split=SPLIT)
    decoded, decode = [], hf._decode
    noted = lambda *given: decoded.append(given[1:3]) or decode(*given)  # noqa: E731
    monkeypatch.setattr(hf, "_decode", noted)
    few = build_dataset(options, split=SPLIT, max_samples=4)
    assert len(set(decoded)) == len(decoded) == 12
    for name in ("train", "val", "test"):
        numbers = spread(len(whole.splits[name]), 4)
        expected, got = (data.splits[name].columns for data in (whole, few))
        assert torch.equal(expected["input"][numbers], got["input"])
        assert torch.equal(expected["target"][numbers], got["target"])
