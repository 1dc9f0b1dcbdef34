"""Tokens are made once and kept, even when the disk or the process fails."""

import numpy as np
import pytest
import torch
from sample_documents import BYTES, build, documents, windows

from zoo.data.text import token_cache
from zoo.data.text.document import Document
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


def kept(root):
    return sorted((root / "tokens").iterdir())


@pytest.mark.parametrize("size", [200, 65_000, 70_000])
def test_ids_are_kept_in_as_few_bytes_as_hold_them(size):
    kind = token_cache.token_type(size)
    assert np.iinfo(kind).max >= size - 1 and kind.itemsize == {200: 1, 65_000: 2, 70_000: 4}[size]


def test_a_text_is_tokenised_once(tmp_path, monkeypatch):
    first = build(tmp_path, TokenizerConfig("char", None))
    before = {path: path.stat().st_mtime_ns for path in kept(tmp_path)}
    assert len(before) == 4 and not [path for path in before if path.name.startswith(".")]
    monkeypatch.setattr(token_cache, "_tokenise", None)
    monkeypatch.setattr(TokenizerConfig, "train", None)
    again = build(tmp_path, TokenizerConfig("char", None))
    assert {path: path.stat().st_mtime_ns for path in kept(tmp_path)} == before
    assert again.sha256 == first.sha256
    assert torch.equal(windows(again.splits["train"]), windows(first.splits["train"]))


def test_other_text_other_form_other_files(tmp_path):
    build(tmp_path)
    build(tmp_path, found=documents(val=("ijkm" * 30,)))
    build(tmp_path, TokenizerConfig("char", None))
    build(tmp_path, block_size=4)
    assert len(kept(tmp_path)) == 3 * 4, "the block size changes nothing that is kept"


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "other", "range"])
def test_a_damaged_cache_is_made_again(tmp_path, damage):
    form = TokenizerConfig("char", None)
    good = windows(build(tmp_path, form).splits["train"])
    for path in kept(tmp_path):
        raw = path.read_bytes()
        other = np.array([[1, 2]], np.float32)
        if damage == "other":
            np.save(path, other) if path.suffix == ".npy" else path.write_text("[]")
        elif damage == "range" and path.suffix == ".npy":
            path.write_bytes(raw[:-1] + b"\xff")
        elif damage != "range":
            path.write_bytes({"empty": b"", "cut": raw[:-1], "noise": b"?" + raw[1:]}[damage])
    assert torch.equal(windows(build(tmp_path, form).splits["train"]), good)


def test_large_arrays_are_mapped(tmp_path, monkeypatch):
    inside = build(tmp_path)
    monkeypatch.setattr(token_cache, "IN_MEMORY", 100)
    mapped = build(tmp_path)
    assert isinstance(mapped.splits["train"].tokens, np.memmap)
    assert torch.equal(windows(mapped.splits["train"], 3), windows(inside.splits["train"], 3))


def test_a_root_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(token_cache.tempfile, "tempdir", str(temporary))
    dataset = build(tmp_path / "file")
    assert len(windows(dataset.splits["train"])) == 39
    notes = [note for note in dataset.notes if "cannot be cached in" in note]
    assert len(notes) == 1 and "set data.root" in notes[0]
    assert list(temporary.iterdir()) == []
    monkeypatch.setattr(token_cache.tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(UserError, match="written neither to .* nor to .* set data.root to"):
        build(tmp_path / "file")


def test_two_processes_at_once(tmp_path, monkeypatch):
    """The second begins and ends while the first is writing."""
    tokenise, others = token_cache._tokenise, []

    def interrupted(*arguments):
        if not others:
            others.append(None)
            others[0] = build(tmp_path, TokenizerConfig("char", None))
        tokenise(*arguments)

    monkeypatch.setattr(token_cache, "_tokenise", interrupted)
    data = build(tmp_path, TokenizerConfig("char", None))
    assert torch.equal(windows(others[0].splits["train"]), windows(data.splits["train"]))
    assert len(kept(tmp_path)) == 4


def test_what_is_broken_off_leaves_nothing(tmp_path):
    def pieces():
        yield "abc"
        raise KeyboardInterrupt

    broken = {s: [Document("one", 3, pieces)] for s in ("train", "val", "test")}
    cache = token_cache.TokenCache(str(tmp_path), "some", "0")
    with pytest.raises(KeyboardInterrupt):
        cache.array(BYTES.train([]), "train", broken["train"])
    assert kept(tmp_path) == []
