"""Our tokenizers as `tokenizer.json`, which Hugging Face's `tokenizers` and `transformers` read.

No text is encoded as a special token, as in training: `split_special_tokens` says so to
`transformers`. Where a model fills blanks, `[MASK]` alone is read in a text, as `predict.py` does:
the other special tokens of ours have a sign in their names there that occurs in no text.
"""

import json
from dataclasses import dataclass
from typing import Any

from zoo.data.tokenizers.base import BOS, EOS, EOT, MASK, PAD, UNKNOWN, Tokenizer
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import ByteTokenizer, CharTokenizer

Json = dict[str, Any]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
NO_TEXT = "ÿ"  # stands for the byte 255, which occurs in no UTF-8 text
NONCHARACTER = "\ufdd0"  # of Unicode: for use within programs, never in a text


@dataclass(frozen=True)
class TokenizerFiles:
    """What a folder of the Hub's form holds of a tokenizer.

    Attributes:
        content: tokenizer.json.
        names: The special tokens by their role (`eos_token`), as `transformers` calls it.
        ids: Their ids, by role too.
    """

    content: Json
    names: dict[str, str]
    ids: dict[str, int]


def tokenizer_files(
    tokenizer: Tokenizer,
    fills_blanks: bool = False,
    wraps: bool = False,
    begins: bool = False,
) -> TokenizerFiles | None:
    """The files' content, None for a tokenizer that the format cannot express (words).

    Args:
        tokenizer: Ours.
        fills_blanks: Whether `[MASK]` in a text is the token.
        wraps: Whether a text gets the special tokens around it that the model was trained with.
        begins: Whether a text gets the token before it that all texts of a published tokenizer
            begin with.
    """
    content = tokenizer_json(tokenizer)
    if content is None:
        return None
    ids = _ids(tokenizer, content, wraps)
    if fills_blanks and "mask_token" in ids:
        _read_mask(content, ids["mask_token"], tokenizer)
    known = _vocabulary(content) | {t["content"]: t["id"] for t in content["added_tokens"]}
    by_id = {number: name for name, number in known.items()}
    names = {role: by_id[number] for role, number in ids.items()}
    if begins and tokenizer.begin_id is not None and isinstance(tokenizer, PublishedTokenizer):
        content["post_processor"] = tokenizer.to_json()["model"]["post_processor"]
    if wraps and {"cls_token", "sep_token"} <= names.keys():
        content["post_processor"] = _around(names, ids)
    return TokenizerFiles(content, names, ids)


def tokenizer_json(tokenizer: Tokenizer) -> Json | None:
    """tokenizer.json of a tokenizer, None for one that the format cannot express (words)."""
    if isinstance(tokenizer, PublishedTokenizer):
        content = json.loads(json.dumps(tokenizer.to_json()["model"]))
        return content | {"truncation": None, "padding": None, "post_processor": None}
    if isinstance(tokenizer, BpeTokenizer):
        content = json.loads(json.dumps(tokenizer.to_json()["model"]))
        if tokenizer.leading_space:
            content["normalizer"] = {"type": "Prepend", "prepend": " "}
            strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
            content["decoder"] = {"type": "Sequence", "decoders": [content["decoder"], strip]}
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


def _ids(tokenizer: Tokenizer, content: Json, wraps: bool) -> dict[str, int]:
    """Ids of the special tokens by role; those around a text where it is wrapped."""
    specials, model, vocabulary = tokenizer.specials, content["model"], _vocabulary(content)
    roles = {"mask_token": MASK, "pad_token": PAD, "unk_token": UNKNOWN}
    if model["type"] == "WordPiece" or wraps and tokenizer.wraps:
        roles |= {"cls_token": BOS, "sep_token": EOS}
    else:
        begins = isinstance(tokenizer, PublishedTokenizer) and BOS in specials
        roles |= {"bos_token": BOS if begins else EOT, "eos_token": EOT}
    ids = {role: specials[name] for role, name in roles.items() if name in specials}
    if model.get("unk_token") in vocabulary:
        ids["unk_token"] = vocabulary[model["unk_token"]]
    spare = tokenizer.pad_id  # or else a token that is in no text
    if spare is None and isinstance(tokenizer, (ByteTokenizer, BpeTokenizer)):
        spare = vocabulary.get(NO_TEXT)
    return ids | ({} if spare is None else {"pad_token": spare})


def _vocabulary(content: Json) -> dict[str, int]:
    """Ids by token; Unigram's are in a list."""
    pieces = content["model"]["vocab"]
    if isinstance(pieces, dict):
        return pieces
    return {token: number for number, (token, _) in enumerate(pieces)}


def _read_mask(content: Json, mask_id: int, tokenizer: Tokenizer) -> None:
    """Let `[MASK]` be read in a text, and no other special token of ours.

    Byte-pair tokens include the space before them, so the one before a mask is dropped.
    """
    drops_space = tokenizer.kind == BpeTokenizer.kind
    vocabulary = content["model"]["vocab"]
    for token in content["added_tokens"]:
        if token["id"] == mask_id:
            token |= {"special": False, "normalized": drops_space}
        elif tokenizer.kind != PublishedTokenizer.kind:
            number = vocabulary.pop(token["content"])
            token["content"] = NONCHARACTER + token["content"]
            vocabulary[token["content"]] = number
    spare = vocabulary.pop(NO_TEXT, None) if tokenizer.pad_id is None else None
    if spare is not None:
        vocabulary[NONCHARACTER + NO_TEXT] = spare
    if drops_space:
        pattern = {"Regex": r" (?=\[MASK\])"}
        content["normalizer"] = {"type": "Replace", "pattern": pattern, "content": ""}


def _around(names: dict[str, str], ids: dict[str, int]) -> Json:
    """`[CLS]` before a text and `[SEP]` after it."""
    first, last = names["cls_token"], names["sep_token"]
    single: list[Json] = [
        {"SpecialToken": {"id": first, "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": last, "type_id": 0}},
    ]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": last, "type_id": 1}}]
    tokens = {
        names[role]: {"id": names[role], "ids": [ids[role]], "tokens": [names[role]]}
        for role in ("cls_token", "sep_token")
    }
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": single + second,
        "special_tokens": tokens,
    }


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


def byte_letters() -> dict[int, str]:
    """The characters that stand for bytes: GPT-2's."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    strange = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain}
    return letters | {byte: chr(256 + k) for k, byte in enumerate(strange)}


def _bytes() -> Json:
    """Byte pairs without any pair."""
    letters = byte_letters()
    model = {"type": "BPE", "vocab": {letters[b]: b for b in range(256)}, "merges": []}
    return _empty(model, BYTES, BYTES)


def _characters(characters: str) -> Json:
    split = {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated"}
    vocabulary = {character: i for i, character in enumerate(characters)}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    return _empty(model, split | {"invert": False}, {"type": "Fuse"})
