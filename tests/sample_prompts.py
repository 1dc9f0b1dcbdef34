"""A JSONL file of prompts and responses, and its dataset by a byte tokenizer."""

import json

from contexts import context

from zoo.data.dataset import Dataset
from zoo.data.datasets.sft import sft
from zoo.data.tokenizers.config import TokenizerConfig

BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)
PAIRS = [(f"say {'ab'[k % 2] * (k % 5 + 1)}", f"said {k}") for k in range(40)]


def write_prompts(folder):
    """The pairs in a file of the folder; its path."""
    path = folder / "answers.jsonl"
    lines = [json.dumps({"prompt": a, "response": b}) for a, b in PAIRS]
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def build(path, block_size=64, encoding=None, **options) -> Dataset:
    """The dataset of a file."""
    return sft(context(tokenizer=BYTES, encoding=encoding), block_size, path=str(path), **options)
