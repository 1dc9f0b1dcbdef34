"""Our tokenizers as a GGUF file states them, for the two that llama.cpp has of language models.

`gpt2` cuts texts by a pattern that it knows by name, and merges bytes by rank. `llama` merges
characters, the pair first that makes the piece of the highest score: what SentencePiece does, and
`tokenizers` by a list of merges in which each piece is made of any two that it consists of.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zoo.data.tokenizers.base import Tokenizer
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import BYTE, SPACE
from zoo.data.tokenizers.registry import CharTokenizer
from zoo.weights.hf_tokenizer import NO_TEXT, TokenizerFiles, byte_letters

Json = dict[str, Any]
NORMAL, CONTROL, GIVEN, UNUSED, AS_BYTE = 1, 3, 4, 5, 6  # kinds of tokens
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {LLAMA3: "llama-bpe", LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"): "qwen2"}
TAKES_WHOLE_WORDS = ("llama-bpe",)  # before any merge
NEVER = f"{NO_TEXT} {NO_TEXT}"  # a merge that happens in no text: the format must have one


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer.

    Attributes:
        model: `gpt2` or `llama`.
        pattern: The name of how `gpt2` cuts texts.
        tokens: By id.
        kinds: Of the tokens.
        merges: Of `gpt2`: two pieces with a space between, the first merge first.
        scores: Of the pieces of `llama`.
        space: Whether `llama` puts a space before a text.
        notes: Where llama.cpp may differ.
    """

    model: str
    pattern: str
    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    scores: list[float]
    space: bool = False
    notes: tuple[str, ...] = ()


def vocabulary(tokenizer: Tokenizer, files: TokenizerFiles, size: int) -> Vocabulary:
    """A tokenizer for llama.cpp.

    Args:
        tokenizer: Ours.
        files: Its tokenizer.json.
        size: Ids that the model knows; those without a token are named and never used.

    Raises:
        ValueError: llama.cpp has none like it.
    """
    if isinstance(tokenizer, CharTokenizer):
        return _characters(tokenizer, size)
    if isinstance(tokenizer, BpeTokenizer) and tokenizer.leading_space:
        raise ValueError("its texts begin with a space that is not theirs")
    model = files.content["model"]
    if model["type"] != "BPE":
        raise ValueError(f"it is a {model['type']}, not byte pairs")
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise ValueError("it marks where words end or go on")
    return _pieces(files.content, size) if _has_spaces(model) else _byte_pairs(files.content, size)


def _characters(tokenizer: CharTokenizer, size: int) -> Vocabulary:
    """Bytes that are merged to characters; a character without a token is left out."""
    letters = byte_letters()
    names = {number: name for name, number in tokenizer.specials.items()}
    merges: dict[str, None] = {}
    for number, character in enumerate(tokenizer.characters, len(names)):
        spelt = [letters[byte] for byte in character.encode("utf-8", "surrogatepass")]
        names[number] = "".join(spelt)
        for k in range(1, len(spelt)):
            merges["".join(spelt[:k]) + " " + spelt[k]] = None
    tokens, kinds = _listed(names, set(tokenizer.specials.values()), (), size)
    return Vocabulary("gpt2", "gpt-2", tokens, kinds, list(merges) or [NEVER], [])


def _byte_pairs(content: Json, size: int) -> Vocabulary:
    model, pattern = content["model"], _pattern(content)
    if bool(model.get("ignore_merges")) != (pattern in TAKES_WHOLE_WORDS) and model["merges"]:
        raise ValueError(f"with its pattern, {pattern}, llama.cpp sets ignore_merges otherwise")
    normalizer = content.get("normalizer")
    if normalizer not in (None, {"type": "NFC"}):
        raise ValueError(f"it changes texts before it cuts them: {normalizer}")
    notes = ("llama.cpp does not compose letters with their marks (NFC), as this tokenizer does",)
    tokens, kinds = _tokens(content, size)
    merges = [" ".join(pair) for pair in _merges(model)]
    return Vocabulary(
        "gpt2", pattern, tokens, kinds, merges or [NEVER], [], notes=notes if normalizer else ()
    )


def _pattern(content: Json) -> str:
    """The name of how texts are cut into words.

    Raises:
        ValueError: By a pattern that has none.
    """
    steps = content.get("pre_tokenizer") or {}
    steps = steps.get("pretokenizers", [steps])
    *before, last = [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise ValueError("it does not read bytes as GPT-2's does")
    if not before and (last.get("use_regex", True) or not content["model"]["merges"]):
        return "gpt-2"
    if before == [{"type": "Digits", "individual_digits": True}] and last.get("use_regex", True):
        return "smollm"
    if len(before) == 1 and not last.get("use_regex", True):
        pattern = before[0].get("pattern", {}).get("Regex")
        split = {"type": "Split", "behavior": "Isolated", "invert": False}
        if pattern in PATTERNS and before == [split | {"pattern": {"Regex": pattern}}]:
            return PATTERNS[pattern]
    raise ValueError("it cuts texts into words by a pattern that llama.cpp does not know")


def _has_spaces(model: Json) -> bool:
    """Whether a piece begins with the sign for a space."""
    return any(token.startswith(SPACE) for token in model["vocab"])


def _pieces(content: Json, size: int) -> Vocabulary:
    model = content["model"]
    if not model.get("byte_fallback") or sum(map(_is_byte, model["vocab"])) != 256:
        raise ValueError("it has no tokens for the bytes of letters that it lacks")
    ranks: dict[str, int] = {}
    pairs = set()
    last = ""
    for first, second in _merges(model):
        piece = first + second
        if piece != last and piece in ranks:
            raise ValueError(f"'{piece}' is made at two places of its list of merges")
        ranks.setdefault(piece, len(ranks))
        pairs.add((first, second))
        last = piece
    for piece in ranks:
        for k in range(1, len(piece)):
            pair = piece[:k], piece[k:]
            if pair not in pairs and all(part in model["vocab"] for part in pair):
                raise ValueError(f"it makes no '{piece}' of '{pair[0]}' and '{pair[1]}'")
    tokens, kinds = _tokens(content, size)
    kinds = [AS_BYTE if _is_byte(token) else kind for token, kind in zip(tokens, kinds)]
    scores = [-float(ranks.get(token, len(ranks))) for token in tokens]
    space, notes = _prefix(content)
    return Vocabulary("llama", "default", tokens, kinds, [], scores, space, notes)


def _prefix(content: Json) -> tuple[bool, tuple[str, ...]]:
    """Whether texts get a space in front, and where llama.cpp differs."""
    pre, normalizer = content.get("pre_tokenizer"), content.get("normalizer") or {}
    steps = normalizer.get("normalizers", [normalizer] if normalizer else [])
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    prepend = {"type": "Prepend", "prepend": SPACE}
    if pre is None and steps in ([replace], [prepend, replace]):
        return len(steps) > 1, ()
    if pre and pre.get("type") == "Metaspace" and not steps and not pre.get("split", True):
        scheme = pre.get("prepend_scheme", "always")
        if pre.get("replacement") == SPACE and scheme in ("always", "first", "never"):
            note = "llama.cpp puts a space after each special token of a chat, as this one does not"
            return scheme != "never", (note,) if scheme == "first" else ()
    raise ValueError("it treats spaces neither as SentencePiece nor as GPT-2 does")


def _merges(model: Json) -> list[list[str]]:
    """Pairs; older files have a text for each."""
    return [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]


def _is_byte(token: str) -> bool:
    return BYTE.fullmatch(token) is not None


def _tokens(content: Json, size: int) -> tuple[list[str], list[int]]:
    """All tokens and their kinds."""
    names = {number: token for token, number in content["model"]["vocab"].items()}
    added = content["added_tokens"]
    names |= {token["id"]: token["content"] for token in added}
    special = {token["id"] for token in added if token["special"]}
    return _listed(names, special, {token["id"] for token in added} - special, size)


def _listed(
    names: dict[int, str], special: set[int], given: Iterable[int], size: int
) -> tuple[list[str], list[int]]:
    if max(names) >= size:
        raise ValueError(f"it has {max(names) + 1} tokens, and the model knows {size}")
    kinds = dict.fromkeys(names, NORMAL) | dict.fromkeys(given, GIVEN)
    kinds |= dict.fromkeys(special, CONTROL)
    numbers = range(size)
    tokens = [names.get(number, f"[PAD{number}]") for number in numbers]
    return tokens, [kinds.get(number, UNUSED) for number in numbers]
