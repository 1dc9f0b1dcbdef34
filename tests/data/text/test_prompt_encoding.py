"""Prompts as ids: the template, and what a run keeps."""

import json

import pytest
from contexts import context

from zoo.data.dataset import Dataset
from zoo.data.datasets.sft import sft
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)


PAIRS = [(f"say {'ab'[k % 2] * (k % 5 + 1)}", f"said {k}") for k in range(40)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "answers.jsonl"
    lines = [json.dumps({"prompt": a, "response": b}) for a, b in PAIRS]
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def build(path, block_size=64, encoding=None, **options) -> Dataset:
    return sft(context(tokenizer=BYTES, encoding=encoding), block_size, path=str(path), **options)


def test_a_run_keeps_its_encoding(file):
    dataset = build(file, template="<{prompt}>")
    again = build(file, encoding=dataset.encoding.to_json(), template="other {prompt}")
    assert load_encoding(dataset.encoding.to_json()) is not None
    assert again.encoding.template == "<{prompt}>" and len(again.splits["all"]) == 40
    assert again.sha256 == dataset.sha256


def test_a_template_without_a_place(file):
    with pytest.raises(UserError, match="expected '{prompt}' somewhere in it"):
        build(file, template="Answer:")
    with pytest.raises(UserError, match="data.path is missing"):
        sft(context(tokenizer=BYTES), 8)
