"""Running text as ids: what a run keeps, and a prompt read."""

import torch

from zoo.data.encoding import load_encoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.tokenizers.config import TokenizerConfig

ENCODING = TextEncoding(TokenizerConfig("char", None, mask_token=True).train(["abc"]), 4)


def test_it_comes_back_from_json():
    again = load_encoding(ENCODING.to_json())
    assert again.facts() == ENCODING.facts() and again.facts()["mask_id"] == 0
    assert again.runtime_facts == {"tokenizer": again.tokenizer}


def test_a_text_is_one_sample_of_at_most_a_block():
    names, batch = ENCODING.read("abcabc")
    assert names == ["abcabc"] and batch["input"].tolist() == [[1, 2, 3, 1]]
    stored = {"input": torch.tensor([[1, 2]], dtype=torch.int16)}
    assert ENCODING.prepare(stored)["input"].dtype == torch.int64
