"""The user's own text: which files, how they are split, what is wrong with them."""

import codecs
import gzip
import json
import random
from pathlib import Path

import pytest
from contexts import build_dataset

from zoo.commands.evaluate import main as evaluate
from zoo.data.splits import Split
from zoo.data.text import files as text_files
from zoo.data.text import transcode
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

LINE = "The quick brown fox jumps over the lazy dog, again and again.\n"


def build(path, root, split=None, **more):
    options = {"name": "text", "path": str(path), "root": str(root), "block_size": 8} | more
    form = TokenizerConfig(options.pop("tokenizer", "byte"), options.pop("vocab_size", None))
    return build_dataset(options, split=split or Split(0.1, 0.1), tokenizer=form)


def contents(dataset):
    decode = dataset.encoding.tokenizer.decode
    return {name: decode(source.tokens) for name, source in dataset.splits.items()}


def chinese(lines=150, seed=0):
    """Lines of random characters from the common block, with full stops and a few emoji."""
    rng = random.Random(seed)
    common = [chr(rng.randrange(0x4E00, 0x9FA5)) for _ in range(120)]
    return "".join(
        "".join(rng.choices(common, k=rng.randint(4, 30))) + ("。🙂\n" if i % 9 == 0 else "。\n")
        for i in range(lines)
    )


# ------------------------------------------------------------------------------ one file


def test_one_file_is_cut_at_ends_of_lines(write, tmp_path):
    text = "".join(f"line {i}\n" for i in range(1000))
    dataset = build(write("one.txt", text), tmp_path)
    parts = contents(dataset)
    assert "".join(parts.values()) == text and list(parts) == ["train", "val", "test"]
    assert all(part.startswith("line ") and part.endswith("\n") for part in parts.values())
    assert 0.09 < len(parts["val"]) / len(text) < 0.11 > len(parts["test"]) / len(text) > 0.09
    assert "1 document:" in dataset.notes[0]


def test_a_file_without_lines_is_cut_between_characters(write, tmp_path):
    text = chinese().replace("\n", "")
    parts = contents(build(write("one.txt", text), tmp_path))
    assert "".join(parts.values()) == text and min(map(len, parts.values())) > 100


def test_a_large_text_is_not_held_out_by_the_tenth(write, tmp_path):
    path = write("one.txt", LINE * 1000)
    parts = contents(build(path, tmp_path, held_out_mb=0.001))
    assert 900 < len(parts["val"]) < 1100 and 900 < len(parts["test"]) < 1100
    assert len(contents(build(path, tmp_path, held_out_mb=None))["test"]) > 6000
    with pytest.raises(UserError, match="data.held_out_mb=0: expected a number above 0, or null"):
        build(path, tmp_path, held_out_mb=0)


def test_byte_order_mark_and_windows_lines(write, tmp_path):
    path = write("one.txt", b"\xef\xbb\xbf" + (LINE * 20).replace("\n", "\r\n").encode())
    assert "".join(contents(build(path, tmp_path)).values()) == LINE * 20


# --------------------------------------------------------------------------- many files


def books(write, count, folder="books"):
    return [write(f"{folder}/{i:02d}.txt", f"book {i} " * 30) for i in range(count)]


def test_each_of_many_files_is_in_one_split(write, tmp_path):
    books(write, 20)
    parts = contents(build(tmp_path / "books", tmp_path))
    actual = {name: {int(b) for b in part.split() if b.isdigit()} for name, part in parts.items()}
    assert len(actual["val"]) == len(actual["test"]) == 2 and len(actual["train"]) == 16
    assert not actual["train"] & actual["val"] and not actual["val"] & actual["test"]
    assert contents(build(tmp_path / "books", tmp_path, Split(0.1, 0.1, split_seed=1))) != parts
    write("books/copy.txt", "book 7 " * 30)
    dataset = build(tmp_path / "books", tmp_path)
    assert dataset.notes[-1].startswith("1 of 21 files are copies of others, which may be in anoth")
    options = {"name": "text", "path": str(tmp_path / "books"), "root": str(tmp_path)}
    evaluated = build_dataset(
        options | {"block_size": 8},
        tokenizer=TokenizerConfig("byte", None),
        encoding=dataset.encoding.to_json(),
    )
    assert not any("copies" in note for note in evaluated.notes)


def test_of_few_files_each_is_cut(write, tmp_path):
    books(write, 3)
    dataset = build(tmp_path / "books", tmp_path)
    for part in contents(dataset).values():
        assert {int(b) for b in part.split() if b.isdigit()} == {0, 1, 2}
    assert dataset.facts["eot_id"] == 0 and "3 documents" in dataset.notes[0]
    with pytest.raises(UserError, match="data.folds=5: expected 10 files or more for folds, got 3"):
        build(tmp_path / "books", tmp_path, Split(folds=5, fold=0))


# ------------------------------------------------------------------------------ mistakes


def said(path, root, **more):
    with pytest.raises(UserError) as error:
        build(path, root, **more)
    return str(error.value)


def test_text_that_is_not_utf8(write, tmp_path, monkeypatch):
    monkeypatch.setattr(transcode, "HEAD", 100)  # the wrong byte is not seen at once
    path = write("latin.txt", LINE.encode() * 3 + "Größe".encode("latin1") + LINE.encode())
    at = 3 * len(LINE) + 2
    line = said(path, tmp_path)
    assert f"{path}: not UTF-8: byte 0xf6 at offset {at}; convert it: iconv -f LATIN1" in line
    monkeypatch.setattr(text_files, "PIECE", 50)
    assert said(path, tmp_path) == line, "the offset is the file's, not the piece's"
    cut = write("cut.txt", LINE * 30 + "明")
    with Path(cut).open("r+b") as file:
        file.truncate(30 * len(LINE) + 2)
    assert f"byte 0xe6 at offset {30 * len(LINE):,}" in said(cut, tmp_path)
    assert "not a text: byte 0 at offset 3" in said(write("b.txt", b"abc\0"), tmp_path)
    books(write, 12)
    broken = write("books/12.txt", b"abc\xff")
    said_of_it = said(tmp_path / "books", tmp_path)
    assert f"{broken}, line 1: not UTF-8 (byte 0xff at offset 3); save" in said_of_it


CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n" * 90


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "gb18030", "utf-8-sig", "gzip"])
def test_other_encodings_give_the_same_tokens_and_a_note(encoding, write, tmp_path):
    raw = gzip.compress(CHINESE.encode()) if encoding == "gzip" else CHINESE.encode(encoding)
    raw = codecs.BOM_UTF16_BE + raw if encoding == "utf-16-be" else raw
    expected = build(write("plain.txt", CHINESE), tmp_path / "one")
    data = build(write("other.txt", raw), tmp_path / "other")
    for split in ("train", "val", "test"):
        assert data.splits[split].tokens.tolist() == expected.splits[split].tokens.tolist()
    note = "other.txt is read as GB18030; if not, save it as UTF-8"
    assert (note in data.notes) == (encoding == "gb18030")


def test_files_of_a_folder_may_differ_in_encoding(write, tmp_path):
    for number in range(12):
        encoding = ("utf-8", "gb18030", "utf-16", "gb18030")[number % 4]
        write(f"books/{number:02}.txt", f"{number} {CHINESE}".encode(encoding))
    data = build(tmp_path / "books", tmp_path)
    assert "files read in other encodings than UTF-8: 6 as GB18030; if not, " in data.notes[-1]
    assert "in 12 documents" in data.notes[0]


def test_nothing_to_read(write, tmp_path):
    assert "data=text needs data.path=<file, folder or pattern>" in said_none(tmp_path)
    assert "the file is empty" in said(write("empty.txt", ""), tmp_path)
    assert "the file is empty" in said(write("mark.txt", b"\xef\xbb\xbf"), tmp_path)
    write("corpus.txt", LINE)
    line = said(tmp_path / "corpsu.txt", tmp_path)
    assert "no such file or folder; did you mean" in line and "corpus.txt'?" in line
    line = said(tmp_path / "copus*.txt", tmp_path)
    assert "no file matches data.path=" in line and "did you mean" in line
    (tmp_path / "none").mkdir()
    assert "none: the folder has no files" in said(tmp_path / "none", tmp_path)
    write("images/a.jpg", b"\0")
    write("images/b.png", b"\0")
    line = said(tmp_path / "images", tmp_path)
    assert (
        "none of its 2 files has the extension of a text (1 .jpg, 1 .png); set the pattern" in line
    )
    line = said(tmp_path / "images", tmp_path, pattern="*.txt")
    assert "none of its 2 files matches data.pattern='*.txt'" in line
    write("odd/a.txt", b"\0")
    assert "no text among 1 file (1 binary)" in said(tmp_path / "odd", tmp_path)


def said_none(root):
    with pytest.raises(UserError) as error:
        build_dataset(
            {"name": "text", "block_size": 8, "root": str(root)},
            split=Split(),
            tokenizer=TokenizerConfig(),
        )
    return str(error.value)


def test_too_little_text(write, tmp_path):
    path = write("short.txt", LINE)
    line = said(path, tmp_path)
    assert "the val split has 6 tokens, expected at least data.block_size + 1 = 9" in line
    assert "train split has 50 tokens" in said(path, tmp_path, block_size=100)


# -------------------------------------------------------------------- from end to end

TINY = ["model=gpt", "model.width=16", "model.depth=1", "model.heads=2", "task=causal_lm"]
TINY += ["data.block_size=16", "data.batch_size=8", "trainer=debug"]


@pytest.mark.parametrize("tokenizer", ["byte", "char", "bpe"])
def test_another_script_trains_and_is_evaluated_on_another_file(
    tokenizer, write, tmp_path, train, capsys
):
    path, other = write("zh.txt", chinese()), write("other.txt", chinese()[:600])
    form = [f"data.tokenizer={tokenizer}", "data.vocab_size=400"]
    result = train(*TINY, "data=text", f"data.path={path}", *form)
    assert result.code == 0, result.err
    figures = json.loads((result.path / "result.json").read_text())["test"]
    assert 0 < figures["bits_per_byte"] < 8.5
    root = f"data.root={tmp_path}"
    ask = [f"run={result.path}", "device=cpu", root]
    assert evaluate([*ask, "json=true"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["metrics"]["loss"] == pytest.approx(figures["loss"], rel=1e-6)
    assert again["warnings"] == []
    assert evaluate([*ask, "data=text", f"data.path={other}", "json=true"]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["split"] == "all" and evaluated["samples"] > 0
    wrong = "char" if tokenizer != "char" else "byte"
    refused = f"data.tokenizer={wrong}"
    for more in ([refused], ["data=text", f"data.path={other}", refused]):
        assert evaluate([*ask, *more]) == 2
        line = capsys.readouterr().err
        assert f"error: {refused}: the run was trained with a {tokenizer} " in line
        assert line.count("\n") == 1


def test_mistakes_are_one_line(mistake, write):
    given = [*TINY, "data=text"]
    assert "data=text needs data.path" in mistake(*given)
    assert "expected at least" in mistake(*given, f"data.path={write('a.txt', 'short')}")
    bad = write("b.txt", b"\xff")
    assert f"{bad}, line 1: not UTF-8 (byte 0xff at offset 0)" in mistake(
        *given, f"data.path={bad}"
    )
