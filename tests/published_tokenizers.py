"""Tokenizers as Llama 2, Llama 3 and Qwen2 publish them, and 2,000 difficult strings."""

import json
import random

import pytest
from sample_tokenizers import MIXED

tokenizers = pytest.importorskip("tokenizers")

CUT = (  # Llama 3's; Qwen2's takes digits one by one
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CONTROL = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_end|>"]
MARKS = [*CONTROL, "<s>", "</s>", "<unk>", "[INST]", "<0x0A>", "▁", "▁▁the"]
PIECES = [
    *MIXED.split(" "), *MARKS, " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\ufeff",
    "\u200d", "\x00", "\x7f", "don't", "I'LL", "3.14159", "１２３", "12345678", "²", "½", "a_b",
    "fooBar", "if (x==1){", "https://x.y/?q=%20", "日本語テキスト", "한국어", "हिन्दी", "ไทย",
    "مرحبا", "e\u0301\u0327", "ﬁ", "Å", "\u212b",
    "🇨🇳", "👩‍🔬", "\ue000", "\U0010ffff", "ß", "İ", "ſ", "…", "“”",
]  # fmt: skip


def strings(number=2000):
    """Pieces in random order, with and without spaces between; and single characters."""
    draw = random.Random(0)
    yield from ("", " ", "\n", " a", "a ", "  a", "\n\na")
    for _ in range(number - 7):
        glue = draw.choice(["", "", " "])
        yield glue.join(draw.choice(PIECES) for _ in range(draw.randint(1, 9)))


def byte_level(folder, normalizer, digits, begin, stated):
    """Byte pairs cut by an expression, as Llama 3 and Qwen2."""
    from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, processors, trainers

    made = tokenizers.Tokenizer(models.BPE(ignore_merges=begin is not None))
    made.normalizer = normalizer
    cut = pre_tokenizers.Split(Regex(CUT.replace("{1,3}", digits)), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([cut, bytes_])
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [MIXED] * 3,
        trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False),
    )
    made.add_special_tokens([AddedToken(name, special=True) for name in CONTROL])
    made.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    if begin is not None:
        made.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, made.token_to_id(begin))]
        )
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))


def sentencepiece(folder):
    """Llama 2's and Mistral's: SentencePiece's byte pairs, `▁` for a space, bytes for the rest."""
    from tokenizers import AddedToken, decoders, models, normalizers, processors

    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = dict.fromkeys("▁" + "".join(sorted(set(MIXED.replace(" ", "")) - set("\n\t\r\x00"))))
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("▁", "▁"), ("o", "n"), ("a", "t"), ("c", "at")]
    vocabulary = [*pieces, *letters, *("".join(pair) for pair in merges)]
    made = tokenizers.Tokenizer(
        models.BPE(
            {piece: k for k, piece in enumerate(dict.fromkeys(vocabulary))}, merges,
            unk_token="<unk>", fuse_unk=True, byte_fallback=True,
        )
    )  # fmt: skip
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )  # fmt: skip
    made.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    made.save(str(folder / "tokenizer.json"))
    stated = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    stated |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))


def write(kind, folder):
    if kind == "llama2":
        sentencepiece(folder)
    elif kind == "llama3":
        stated = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
        stated |= {"tokenizer_class": "PreTrainedTokenizerFast"}
        byte_level(folder, None, "{1,3}", "<|begin_of_text|>", stated)
    else:
        stated = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
        stated |= {"tokenizer_class": "Qwen2Tokenizer"}
        byte_level(folder, tokenizers.normalizers.NFC(), "", None, stated)
