"""Published tokenizers: the ids of Hugging Face's own, and one line for damaged files."""

import json

import pytest

from zoo.data.tokenizers.published import read_published
from zoo.errors import UserError

transformers = pytest.importorskip("transformers")


def words():
    texts = ["Hello world, HELLO again!", "naïve café 你好", "an unbelievable tokenization"]
    return texts + ["<|endoftext|> [MASK] [SEP]", "", "  two  spaces\nand a line"]


def test_gpt2s_tokenizer_is_theirs(tmp_path):
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(words() * 3, vocab_size=400, special_tokens=["<|endoftext|>"])
    made.save_model(str(tmp_path))
    ours = read_published(tmp_path)
    reference = transformers.GPT2TokenizerFast.from_pretrained(tmp_path)
    for text in words():
        encoded = reference(text, split_special_tokens=True)["input_ids"]
        assert ours.encode(text).tolist() == encoded
        assert ours.decode(ours.encode(text)) == text
    assert ours.vocab_size == len(reference) and ours.pad_id == ours.specials["<|endoftext|>"]
    assert len(ours.token_bytes()) == ours.vocab_size == len(ours.word_starts())


@pytest.mark.parametrize("lower", [True, False])
def test_berts_tokenizer_is_theirs(tmp_path, lower):
    vocabulary = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = "hello world Hello , ! un ##believ ##able token ##ization an again cafe naive 你 好"
    (tmp_path / "vocab.txt").write_text("\n".join([*vocabulary, *pieces.split()]) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    ours = read_published(tmp_path)
    reference = transformers.BertTokenizerFast.from_pretrained(tmp_path, do_lower_case=lower)
    for text in words():
        if "[" in text:
            continue
        encoded = reference(text, add_special_tokens=True)["input_ids"]
        assert ours.wrap(ours.encode(text), 50).tolist() == encoded
    assert ours.specials["[MASK]"] == 5 and ours.pad_id == 0 and ours.first_id == 6
    assert 5 not in ours.encode("a [MASK] here")
    assert len(ours.wrap(ours.encode("hello world again"), 4)) == 4


def test_a_damaged_tokenizer_is_named(tmp_path):
    assert read_published(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="its tokenizer cannot be read"):
        read_published(tmp_path)
