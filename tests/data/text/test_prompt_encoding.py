"""Prompts as ids: the template, and what a run keeps."""

import pytest
from contexts import context
from sample_prompts import BYTES, build, write_prompts

from zoo.data.datasets.sft import sft
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


@pytest.fixture
def file(tmp_path):
    return write_prompts(tmp_path)


def test_a_run_keeps_its_encoding(file):
    dataset = build(file, template="<{prompt}>")
    again = build(file, encoding=dataset.encoding.to_json(), template="other {prompt}")
    assert load_encoding(dataset.encoding.to_json()) is not None
    assert again.encoding.template == "<{prompt}>" and len(again.splits["all"]) == 40
    assert again.sha256 == dataset.sha256


def test_a_reserved_mask_is_a_fact(file):
    config = TokenizerConfig("byte", None, mask_token=True)
    facts = sft(context(tokenizer=config), 64, path=str(file)).facts
    assert facts["mask_id"] == 1 and "mask_id" not in build(file).facts


def test_a_template_without_a_place(file):
    with pytest.raises(UserError, match="expected '{prompt}' somewhere in it"):
        build(file, template="Answer:")
    with pytest.raises(UserError, match="data.path is missing"):
        sft(context(tokenizer=BYTES), 8)
