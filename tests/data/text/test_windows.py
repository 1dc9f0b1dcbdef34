"""Running text becomes windows of tokens, made once and kept, whatever befalls the disk."""

import numpy as np
import pytest
import torch
from contexts import context
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.text import token_cache
from zoo.data.text import windows as token_set
from zoo.data.text.document import Document, digest, read, sample
from zoo.data.text.windows import TokenSource, token_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

BYTES = TokenizerConfig("byte", None)


def documents(train=("abcdefgh" * 40,), val=("ijkl" * 30,), test=("mnop" * 30,)):
    splits = {"train": train, "val": val, "test": test}
    return {s: [Document.of(f"{s}{i}", t) for i, t in enumerate(ts)] for s, ts in splits.items()}


def build(root, tokenizer=BYTES, block_size=8, found=None, encoding=None, **more):
    shared = context(tokenizer=tokenizer, root=str(root), encoding=encoding)
    return token_dataset("some", found or documents(), shared, block_size, **more)


def kept(root):
    return sorted((root / "tokens").iterdir())


def windows(source, epoch=0):
    index = torch.arange(len(source))
    return source.fetch(index, torch.full_like(index, epoch))["input"]


@given(length=st.integers(2, 200), block=st.integers(1, 40))
@settings(deadline=None)
def test_evaluation_predicts_each_token_once(length, block):
    source = TokenSource(np.arange(length, dtype=np.uint16), block)
    if len(source) == 0:
        assert length < block + 1
        return
    found = windows(source)
    assert found.shape == (len(source), block + 1)
    targets = found[:, 1:].flatten().tolist()
    assert targets == list(range(1, len(source) * block + 1)), "in order, none twice, none left out"
    assert length - 1 - len(targets) < block, "but for a rest shorter than a window"


@given(length=st.integers(9, 100), epoch=st.integers(0, 1000))
@settings(deadline=None)
def test_each_epoch_is_shifted_and_stays_inside(length, epoch):
    source = TokenSource(np.arange(length, dtype=np.uint8), 8)
    found = windows(source, epoch)
    starts = found[:, 0]
    assert torch.equal(found, starts[:, None] + torch.arange(9)), "windows of the text itself"
    shifts = (starts - torch.arange(len(source)) * 8)[:-1]
    assert shifts.numel() == 0 or (shifts.unique().numel() == 1 and 0 <= int(shifts[0]) < 8)


def test_epochs_begin_at_different_places():
    source = TokenSource(np.arange(1000, dtype=np.uint16), 64)
    assert len({int(windows(source, epoch)[0, 0]) for epoch in range(8)}) == 8


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_tokens_in_memory_mapped_and_on_a_device_are_the_same(tmp_path, kind):
    tokens = np.random.default_rng(0).integers(0, 250, 1000).astype(kind)
    np.save(tmp_path / "tokens.npy", tokens)
    mapped = TokenSource(np.load(tmp_path / "tokens.npy", mmap_mode="r"), 16)
    index, epoch = torch.tensor([3, 0, 61]), torch.tensor([0, 5, 2])
    expected = TokenSource(tokens, 16).fetch(index, epoch)["input"]
    assert torch.equal(mapped.fetch(index, epoch)["input"], expected)
    moved = mapped.to(torch.device("cpu"))
    assert torch.equal(moved.fetch(index, epoch)["input"].int(), expected)
    assert mapped.nbytes == moved.tokens.nbytes


def test_documents_are_parted_where_there_are_several(tmp_path):
    found = documents(train=("abc" * 9, "xyz" * 9))
    dataset = build(tmp_path, found=found)
    eot = dataset.facts["eot_id"]
    assert eot == 0 and dataset.facts["token_bytes"][0] == 0
    text = bytes((dataset.splits["train"].tokens.astype(int) - 1 & 255).tolist())
    assert text == b"abc" * 9 + b"\xff" + b"xyz" * 9 + b"\xff"
    assert build(tmp_path).facts["eot_id"] is None, "one document needs none"


def test_facts(tmp_path):
    dataset = build(tmp_path, TokenizerConfig("char", None, mask_token=True))
    assert dataset.facts["vocab_size"] == 17 and dataset.facts["block_size"] == 8
    assert dataset.facts["mask_id"] == 0 and dataset.facts["token_bytes"] == [0] + [1] * 16
    letters = documents(*(("a b a c " * 9,) for _ in range(3)))
    words = build(tmp_path, TokenizerConfig("word", None), found=letters)
    assert words.facts["token_counts"] == [0, 18, 9, 9]
    batch = dataset.encoding.prepare(dataset.splits["val"].fetch(*torch.zeros(2, 3).long()))
    assert batch["input"].dtype == torch.int64 and batch["input"].shape == (3, 9)


@pytest.mark.parametrize("size", [200, 65_000, 70_000])
def test_ids_are_kept_in_as_few_bytes_as_hold_them(size):
    kind = token_cache.token_type(size)
    assert np.iinfo(kind).max >= size - 1 and kind.itemsize == {200: 1, 65_000: 2, 70_000: 4}[size]


# ------------------------------------------------------------------------------ the cache


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
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
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
    one = build(tmp_path, TokenizerConfig("char", None))
    assert torch.equal(windows(others[0].splits["train"]), windows(one.splits["train"]))
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


# ------------------------------------------------------------------------- judging a run


def test_a_run_reads_other_text_with_its_own_tokenizer(tmp_path):
    run = build(tmp_path, TokenizerConfig("char", None))
    other = documents(train=("hgfe" * 10,), val=("",), test=("",))
    json = run.encoding.to_json()
    found = build(
        tmp_path,
        TokenizerConfig("char", None),
        99,
        other,
        encoding=json,
        all_documents=other["train"],
    )
    assert found.facts["vocab_size"] == 16 and found.facts["block_size"] == 8
    text = run.encoding.tokenizer.decode(found.splits["all"].tokens)
    assert text == "hgfe" * 10 and len(found.splits["all"]) == 4
    with pytest.raises(UserError, match="split=val has 0 tokens, expected at least the run's "):
        len(found.splits["val"])


def test_judging_on_the_runs_own_data_tokenises_nothing(tmp_path, monkeypatch):
    run = build(tmp_path)
    monkeypatch.setattr(token_cache, "_tokenise", None)
    again = build(tmp_path, encoding=run.encoding.to_json(), all_documents=documents()["train"])
    assert again.sha256 == run.sha256
    assert torch.equal(windows(again.splits["test"]), windows(run.splits["test"]))


def test_another_tokenizer_is_refused(tmp_path):
    json = build(tmp_path, TokenizerConfig("char", None)).encoding.to_json()
    with pytest.raises(UserError, match="data.tokenizer=bpe: the run was .* char tokenizer of 16"):
        build(tmp_path, TokenizerConfig("bpe", 300), encoding=json)


def test_unknown_characters_name_the_document(tmp_path):
    json = build(tmp_path, TokenizerConfig("char", None)).encoding.to_json()
    other = documents(test=("abc?",))
    found = build(tmp_path, TokenizerConfig("char", None), found=other, encoding=json)
    with pytest.raises(UserError, match=r"^test0: the text has characters .*'\?'"):
        len(found.splits["test"])


# ------------------------------------------------------------------------------- mistakes


def test_too_little_text(tmp_path):
    with pytest.raises(UserError) as error:
        build(tmp_path, found=documents(val=("ijkl",)))
    said = "the val split has 4 tokens, expected at least data.block_size + 1 = 9 (train 320, val 4"
    assert said in str(error.value) and "raise data.val_fraction or give" in str(error.value)
    with pytest.raises(UserError, match="the train split has .* lower data.block_size, or give"):
        build(tmp_path, block_size=500)
    with pytest.raises(UserError, match="data.block_size=0: expected 1 or more"):
        build(tmp_path, block_size=0)


# ------------------------------------------------------------------------------ documents


def test_a_long_text_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr("zoo.data.text.document.PIECE", 10)
    for text in ("", "abc", "one two\nthree four five\nsix" * 5, "x" * 35, "明" * 35):
        pieces = list(Document.of("one", text).pieces())
        assert "".join(pieces) == text and max(map(len, pieces)) <= 10
    assert list(Document.of("one", "ab\ncd ef gh ij").pieces()) == ["ab\n", "cd ef gh ", "ij"]


def test_a_sample_is_taken_evenly():
    found = [Document.of(str(i), "x" * 100) for i in range(10)]
    assert len(list(sample(found, 1000, "all"))) == 10
    assert len(list(sample(found, 999, "half"))) == 5 and len(list(sample(found, 340, "a"))) == 4
    mixed = [Document.of("a", "1"), Document.of("b", "2"), Document.of("c", "明")]
    assert list(sample(mixed, 3, "every second")) == ["1", "明"]


def test_the_digest_tells_texts_splits_and_borders_apart():
    def of(**splits):
        return digest({s: [Document.of("", t) for t in ts] for s, ts in splits.items()}, "x")

    same = of(train=["ab"], val=["c"])
    parts = Document("", 2, lambda: iter(["a", "b"]))
    assert digest({"train": [parts], "val": [Document.of("", "c")]}, "x") == same
    others = [of(train=["a", "b"], val=["c"]), of(train=["ab"], test=["c"]), of(train=["abc"])]
    assert len({same, *others}) == 4


def test_progress_counts_bytes(capsys, monkeypatch):
    monkeypatch.setattr("zoo.data.progress.SECONDS", -1.0)
    list(read([Document.of("one", "明" * 1000)], "reading"))
    assert "reading: 0.0 MB (100 %)" in capsys.readouterr().err
    assert token_set.total_size([Document.of("one", "明a")]) == 4
