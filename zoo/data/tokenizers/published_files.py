"""Files of a published tokenizer, as on the Hub: tokenizer.json, or vocabulary and settings."""

import json
from pathlib import Path
from typing import Any

from zoo.data.tokenizers.base import BOS, EOT, MASK, PAD
from zoo.data.tokenizers.published import NAMES, PublishedTokenizer
from zoo.errors import UserError

Json = dict[str, Any]
PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))  # the latter OpenAI's names
SETTINGS, ADDED = "tokenizer_config.json", "added_tokens.json"
TEMPLATE, GENERATION = "chat_template.jinja", "generation_config.json"
SENTENCEPIECE = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
FILES = ("tokenizer.json", *PAIRS[0], *PAIRS[1], "vocab.txt", SETTINGS, ADDED, TEMPLATE, GENERATION)
CLASSES = {  # that read such a vocabulary as we do
    "vocab.txt": ("BertTokenizer", "DistilBert", "Electra", "MobileBert", "PreTrained"),
    "merges.txt": ("GPT2", "Roberta", "Bart", "Longformer", "PreTrained"),
}
NORMALIZER = {  # a setting of BERT's tokenizers: its name in tokenizer.json
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
ROLES = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def read_published(folder: Path) -> PublishedTokenizer | None:
    """The tokenizer of a folder laid out as on the Hub, None where there is none.

    Raises:
        UserError: One that cannot be read, or that would cut text otherwise than its own program.
    """
    try:
        stated = _stated_specials(folder)
        tokenizer = _find(folder, {n: t for n, t in stated.items() if t not in NAMES[n]})
        if tokenizer is not None:
            tokenizer = _with_stated(tokenizer, stated)
            tokenizer.chat = _chat(folder)
            tokenizer.ends = _ends(folder, tokenizer)
            return tokenizer
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{folder}: its tokenizer cannot be read: {error}") from None
    if pieces := next((name for name in SENTENCEPIECE if (folder / name).is_file()), None):
        raise UserError(
            f"{folder}: its tokenizer is SentencePiece's {pieces}; write a tokenizer.json beside "
            f"it: transformers.AutoTokenizer.from_pretrained(...).save_pretrained(...)"
        )
    return None


def _find(folder: Path, stated: dict[str, str]) -> PublishedTokenizer | None:
    if (folder / "tokenizer.json").is_file():
        whole = _normalised(_read(folder / "tokenizer.json"), folder)
        return PublishedTokenizer(whole, stated)
    for names in PAIRS:
        vocabulary, merges = (folder / name for name in names)
        if vocabulary.is_file() and merges.is_file():
            return PublishedTokenizer(_byte_pairs(vocabulary, merges), stated)
        if merges.is_file():
            raise ValueError(f"{merges.name} without {vocabulary.name}")
    if (folder / "vocab.txt").is_file():
        return PublishedTokenizer(_word_pieces(folder), stated)
    return None


def _chat(folder: Path) -> Json | None:
    """How conversations are written: the template, the names of special tokens that it may use.

    Raises:
        ValueError: A template that is no text.
    """
    settings = _read(folder / "special_tokens_map.json") | _read(folder / SETTINGS)
    source = settings.get("chat_template")
    if isinstance(source, list):  # several, each with a name
        source = {entry["name"]: entry["template"] for entry in source}.get("default")
    if (folder / TEMPLATE).is_file():
        source = (folder / TEMPLATE).read_text(encoding="utf-8")
    if source is None:
        return None
    if not isinstance(source, str):
        raise ValueError(f"its chat template is a {type(source).__name__}, expected a text")
    stated = {role: settings[role] for role in ROLES if settings.get(role)}
    return {"source": source, "variables": {role: _text(t) for role, t in stated.items()}}


def _ends(folder: Path, tokenizer: PublishedTokenizer) -> list[int]:
    """Ids by which the model ends a text: several, where answers may end in several ways.

    Raises:
        ValueError: They are no ids.
    """
    stated = _read(folder / GENERATION).get("eos_token_id")
    ids = stated if isinstance(stated, list) else [] if stated is None else [stated]
    if not all(isinstance(number, int) for number in ids):
        raise ValueError(f"{GENERATION} has eos_token_id={stated}, expected ids of tokens")
    return [number for number in ids if number != tokenizer.specials.get(EOT)]


def _read(path: Path) -> Json:
    """An object of JSON, empty where there is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deep") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: expected a JSON object, got a {type(content).__name__}")
    return content


def _stated_specials(folder: Path) -> dict[str, str]:
    """Special tokens that settings state."""
    stated = _read(folder / "special_tokens_map.json") | _read(folder / SETTINGS)
    names = {EOT: "eos_token", MASK: "mask_token", PAD: "pad_token", BOS: "bos_token"}
    found = {ours: _text(stated[name]) for ours, name in names.items() if stated.get(name)}
    for name in (PAD, BOS):
        if name in found and found[name] == found.get(EOT):  # none of its own
            del found[name]
    return found


def _with_stated(tokenizer: PublishedTokenizer, stated: dict[str, str]) -> PublishedTokenizer:
    """The same where its special tokens are those that are stated; of several with a usual name,
    the stated ones."""
    ids, known = tokenizer.controls(), tokenizer.specials
    if all(known.get(name) == ids.get(text, known.get(name)) for name, text in stated.items()):
        return tokenizer
    return PublishedTokenizer(tokenizer.to_json()["model"], stated)


def _normalised(model: Json, folder: Path) -> Json:
    """A tokenizer.json with the settings of BERT's and GPT-2's tokenizers, which win in
    `transformers` too."""
    settings, normalizer = _read(folder / SETTINGS), model.get("normalizer") or {}
    space, cut = settings.get("add_prefix_space"), model.get("pre_tokenizer") or {}
    is_gpt2 = str(settings.get("tokenizer_class")).startswith("GPT2")
    if is_gpt2 and isinstance(space, bool) and cut.get("type") == "ByteLevel":
        return model | {"pre_tokenizer": cut | {"add_prefix_space": space}}
    is_bert = str(settings.get("tokenizer_class")).startswith("Bert")
    if not is_bert or normalizer.get("type") != "BertNormalizer":
        return model
    stated = {ours: settings[name] for name, ours in NORMALIZER.items() if name in settings}
    return model | {"normalizer": normalizer | stated}


def _check_class(settings: Json, file: str) -> None:
    """Refuse a class that reads the same files in another way.

    Raises:
        ValueError: It is one.
    """
    name = settings.get("tokenizer_class")
    if name and not str(name).startswith((*CLASSES[file], "Tokenizers")):
        raise ValueError(f"{SETTINGS} has tokenizer_class={name}, which reads {file} otherwise")


def _add_tokens(model: Any, folder: Path, settings: Json) -> None:
    """Add the tokens that were added to the vocabulary, with their ids.

    Raises:
        ValueError: Ids that do not follow the vocabulary's.
    """
    from tokenizers import AddedToken

    added = {number: (text, False) for text, number in _read(folder / ADDED).items()}
    for number, token in (settings.get("added_tokens_decoder") or {}).items():
        added[int(number)] = (token["content"], bool(token.get("special")))
    for number, (text, special) in sorted(added.items()):
        if model.token_to_id(text) is None:
            add = model.add_special_tokens if special else model.add_tokens
            add([AddedToken(text, special=special, normalized=not special)])
        if model.token_to_id(text) != number:
            raise ValueError(
                f"the added token '{text}' has the id {number}, and follows as "
                f"{model.token_to_id(text)}"
            )


def _byte_pairs(vocabulary: Path, merges: Path) -> Json:
    """GPT-2's vocab.json and merges.txt."""
    from tokenizers import AddedToken, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Model

    settings = _read(vocabulary.parent / SETTINGS)
    _check_class(settings, "merges.txt")
    try:
        bpe = models.BPE.from_file(str(vocabulary), str(merges))
    except Exception as error:  # the package raises nothing narrower
        raise ValueError(str(error)) from error
    model = Model(bpe)
    space = bool(settings.get("add_prefix_space"))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    model.decoder = decoders.ByteLevel()
    if model.token_to_id("<|endoftext|>") is not None:
        model.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    _add_tokens(model, vocabulary.parent, settings)
    return json.loads(model.to_str())


def _word_pieces(folder: Path) -> Json:
    """BERT's vocab.txt; tokenizer_config.json states what is done to a text first."""
    from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Model

    settings = _read(folder / SETTINGS)
    _check_class(settings, "vocab.txt")
    if settings.get("do_basic_tokenize") is False:
        raise ValueError(f"{SETTINGS} has do_basic_tokenize=false, which is not supported")
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {word.rstrip("\r"): i for i, word in enumerate(words) if word.rstrip("\r")}
    names = {name: _text(settings.get(name) or usual) for name, usual in SPECIALS.items()}
    unknown = names["unk_token"]
    if unknown not in vocabulary:
        raise ValueError(f"vocab.txt has no {unknown}")
    model = Model(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=100))
    model.normalizer = normalizers.BertNormalizer(
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
    )
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    model.decoder = decoders.WordPiece()
    specials = [AddedToken(n, special=True) for n in names.values() if n in vocabulary]
    model.add_special_tokens(specials)
    _add_tokens(model, folder, settings)
    return json.loads(model.to_str())


def _text(token: Any) -> str:
    """Of a special token, which is a text or an object with one."""
    return str(token["content"] if isinstance(token, dict) else token)
