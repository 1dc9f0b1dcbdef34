"""Multi30k: official splits in either direction, of verified files."""

import hashlib

import pytest
from contexts import context
from sample_pairs import CHAR, texts

from zoo.data.datasets import multi30k as multi30k_module
from zoo.data.splits import Split
from zoo.errors import UserError


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A folder with a Multi30k of nine sentences, and their known sums."""
    files = {}
    for k, name in enumerate(multi30k_module.FILES):
        content = "".join(f"{name} {n} \n" for n in range(3 if k < 2 else 2)).encode()
        (tmp_path / name).write_bytes(content)
        files[name] = (len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(multi30k_module, "FILES", files)
    return tmp_path


def test_multi30k_takes_the_official_splits_in_either_direction(few, split):
    dataset = multi30k_module.multi30k(context(split, tokenizer=CHAR, root=str(few)))
    assert {name: len(s) for name, s in dataset.splits.items()} == {"train": 3, "val": 2, "test": 2}
    assert texts(dataset, "test")[1] == ("test_2016_flickr.en 1", "test_2016_flickr.de 1")
    back = multi30k_module.multi30k(
        context(split, tokenizer=CHAR, root=str(few)), direction="de-en"
    )
    assert texts(back, "train") == [(b, a) for a, b in texts(dataset, "train")]


def test_multi30k_has_no_folds(few):
    with pytest.raises(UserError, match="data.folds=2: the split of multi30k is fixed"):
        multi30k_module.multi30k(context(Split(folds=2, fold=0), tokenizer=CHAR, root=str(few)))


def test_multi30k_is_verified(few, split):
    (few / "val.de").write_bytes(b"val.de 0 \nval.de X \n")
    with pytest.raises(UserError, match="val.de is not the published file of multi30k: SHA-256"):
        multi30k_module.multi30k(context(split, tokenizer=CHAR, root=str(few)))
