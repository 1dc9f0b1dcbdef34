"""Our tokenizers as `tokenizer.json`, which Hugging Face's `tokenizers` and `transformers` read."""

import json
from typing import Any

from zoo.data.tokenizers.base import Tokenizer
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer

Json = dict[str, Any]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def tokenizer_json(tokenizer: Tokenizer) -> Json | None:
    """The file's content, None for a tokenizer that the format cannot express (words)."""
    if isinstance(tokenizer, PublishedTokenizer):
        return tokenizer.to_json()["model"]
    if isinstance(tokenizer, BpeTokenizer):
        content = json.loads(json.dumps(tokenizer.to_json()["model"]))
        if tokenizer.leading_space and "pretokenizers" in content["pre_tokenizer"]:
            content["normalizer"] = {"type": "Prepend", "prepend": " "}
        elif tokenizer.leading_space:
            content["pre_tokenizer"]["add_prefix_space"] = True
    elif isinstance(tokenizer, ByteTokenizer):
        content = _bytes()
    elif isinstance(tokenizer, CharTokenizer):
        content = _characters(tokenizer.characters)
    else:
        return None
    first = len(tokenizer.specials)  # special tokens come before all others
    vocabulary = {token: i + first for token, i in content["model"]["vocab"].items()}
    # Special tokens are in it too: `tokenizers` gives others the next free id, whatever theirs is.
    content["model"]["vocab"] = dict(tokenizer.specials) | vocabulary
    content["added_tokens"] = [
        {
            "id": number,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for name, number in tokenizer.specials.items()
    ]
    return content


def _empty(model: Json, pre_tokenizer: Json, decoder: Json) -> Json:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def _bytes() -> Json:
    """Byte pairs without any pair. The characters that stand for bytes are GPT-2's."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    strange = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    letters |= {byte: chr(256 + k) for k, byte in enumerate(strange)}
    model = {"type": "BPE", "vocab": {letters[b]: b for b in range(256)}, "merges": []}
    return _empty(model, BYTES, BYTES)


def _characters(characters: str) -> Json:
    split = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated"}
    vocabulary = {character: i for i, character in enumerate(characters)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    return _empty(model, split | {"invert": False}, {"type": "Fuse"})
