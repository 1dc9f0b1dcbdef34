"""Running text becomes windows of tokens, made once and kept, whatever happens to the disk."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_documents import build, documents, windows

from zoo.data.text import token_cache
from zoo.data.text.windows import TokenSource
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


@given(length=st.integers(2, 200), block=st.integers(1, 40))
@settings(deadline=None)
def test_evaluation_predicts_each_token_once(length, block):
    source = TokenSource(np.arange(length, dtype=np.uint16), block)
    if len(source) == 0:
        assert length < block + 1
        return
    actual = windows(source)
    assert actual.shape == (len(source), block + 1)
    targets = actual[:, 1:].flatten().tolist()
    assert targets == list(range(1, len(source) * block + 1)), "in order, none twice, none left out"
    assert length - 1 - len(targets) < block, "but for a rest shorter than a window"


@given(length=st.integers(9, 100), epoch=st.integers(0, 1000))
@settings(deadline=None)
def test_each_epoch_is_shifted_and_stays_inside(length, epoch):
    source = TokenSource(np.arange(length, dtype=np.uint8), 8)
    actual = windows(source, epoch)
    starts = actual[:, 0]
    assert torch.equal(actual, starts[:, None] + torch.arange(9)), "windows of the text itself"
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
    actual = documents(train=("abc" * 9, "xyz" * 9))
    dataset = build(tmp_path, found=actual)
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


# ------------------------------------------------------------------------- evaluating a run


def test_a_run_reads_other_text_with_its_own_tokenizer(tmp_path):
    run = build(tmp_path, TokenizerConfig("char", None))
    other = documents(train=("hgfe" * 10,), val=("",), test=("",))
    json = run.encoding.to_json()
    actual = build(
        tmp_path,
        TokenizerConfig("char", None),
        99,
        other,
        encoding=json,
        all_documents=other["train"],
    )
    assert actual.facts["vocab_size"] == 16 and actual.facts["block_size"] == 8
    text = run.encoding.tokenizer.decode(actual.splits["all"].tokens)
    assert text == "hgfe" * 10 and len(actual.splits["all"]) == 4
    with pytest.raises(UserError, match="split=val has 0 tokens, expected at least the run's "):
        len(actual.splits["val"])


def test_evaluating_on_the_runs_own_data_tokenises_nothing(tmp_path, monkeypatch):
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
    actual = build(tmp_path, TokenizerConfig("char", None), found=other, encoding=json)
    with pytest.raises(UserError, match=r"^test0: the text has characters .*'\?'"):
        len(actual.splits["test"])


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
