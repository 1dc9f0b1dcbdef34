"""The standard library's sources, and its prose, as running text."""

import ast
import platform
from pathlib import Path

import pytest
from contexts import build_dataset

from zoo.data.datasets import pydoc, stdlib
from zoo.data.splits import Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


@pytest.fixture(scope="module")
def files():
    return dict(stdlib.sources())


@pytest.fixture
def few(monkeypatch, files):
    """Thirty files stand for all."""
    some = list(files.items())[:300:10]
    monkeypatch.setattr(stdlib, "sources", lambda: iter(some))
    monkeypatch.setattr(pydoc, "sources", lambda: iter(some))
    return dict(some)


def build(name, root, form, **split):
    return build_dataset(
        {"name": name, "root": str(root), "block_size": 16},
        split=Split(0.1, 0.1, **split),
        tokenizer=form,
    )


def test_sources_are_those_of_the_library_and_no_tests(files):
    assert {"abc.py", "json/decoder.py", "asyncio/base_events.py"} <= files.keys()
    assert list(files) == sorted(files, key=lambda name: name.split("/"))
    assert not [n for n in files if "test" in n.split("/")[:-1] or "site-packages" in n]
    assert files["ast.py"] == Path(ast.__file__).read_text(encoding="utf-8")
    assert sum(map(len, files.values())) > 5e6


def test_a_python_without_sources_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(stdlib.sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(UserError, match="holds no sources .* data=text data.path="):
        list(stdlib.sources())


@pytest.mark.parametrize("name", ["stdlib", "pydoc"])
def test_each_file_is_in_one_split(name, few, tmp_path):
    dataset = build(name, tmp_path, TokenizerConfig("byte", None))
    assert dataset.notes[1] == f"standard library of Python {platform.python_version()}"
    assert len(dataset.sha256) == 64 and dataset.facts["eot_id"] == 0
    sizes = {split: int((s.tokens == 0).sum()) for split, s in dataset.splits.items()}
    assert sizes["val"] == sizes["test"] > 0 and sizes["train"] > 6 * sizes["val"]
    assert (
        build(name, tmp_path, TokenizerConfig("byte", None), split_seed=1).sha256 != dataset.sha256
    )


def test_the_text_is_the_files_text(few, tmp_path):
    dataset = build("stdlib", tmp_path, TokenizerConfig("byte", None))
    found = []
    for source in dataset.splits.values():
        texts = bytes((source.tokens.astype(int) - 1 & 255).tolist()).split(b"\xff")
        found += [text.decode() for text in texts[:-1]]
    assert sorted(found) == sorted(few.values())
