"""The plays: their customary split, from a file that is verified."""

import pytest
from sample_characters import build, contents, sha

from zoo.data.datasets import shakespeare, text8
from zoo.data.download import Remote
from zoo.errors import UserError

PLAY = "First Citizen:\nBefore we proceed any further, hear me speak.\n\n" * 40


@pytest.fixture
def plays(tmp_path, monkeypatch):
    (tmp_path / "input.txt").write_text(PLAY)
    monkeypatch.setattr(shakespeare, "FILE", Remote("input.txt", (), sha256=sha(PLAY.encode())))
    return tmp_path


def test_nine_tenths_train_and_the_rest_is_val_and_test(plays):
    dataset = build("shakespeare", plays)
    cut = int(0.9 * len(PLAY))
    parts = contents(dataset)
    assert parts == {"train": PLAY[:cut], "val": PLAY[cut:], "test": PLAY[cut:]}
    assert dataset.facts["vocab_size"] == len(set(PLAY)) and dataset.facts["eot_id"] is None
    assert "2.5 kB of text in 1 document: 2,480 tokens, 1.00 bytes per token" in dataset.notes[0]
    again = build("shakespeare", plays, encoding=dataset.encoding.to_json())
    assert contents(again)["all"] == PLAY and again.sha256 == dataset.sha256


def test_another_file_is_refused(plays):
    (plays / "input.txt").write_text(PLAY + "!")
    with pytest.raises(UserError, match="input.txt is not the published file of shakespeare"):
        build("shakespeare", plays)


def test_the_published_plays():
    assert shakespeare.FILE.sha256[:8] == "86c4e6aa" and len(shakespeare.FILE.sha256) == 64
    assert text8.FILE.size == 10**8 and len({text8.FILE.sha256, text8.FILE.content_sha256}) == 2
