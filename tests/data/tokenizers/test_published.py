"""Published tokenizers: the ids of Hugging Face's own, and one line for damaged files."""

import json

import pytest

from zoo.data.tokenizers.published import read_published
from zoo.errors import UserError

transformers = pytest.importorskip("transformers")


def words():
    texts = ["Hello world, HELLO again!", "naïve café 你好", "an unbelievable tokenization"]
    return texts + ["<|endoftext|> [MASK] [SEP]", "", "  two  spaces\nand a line"]


def test_gpt2s_tokenizer_equals_the_reference(tmp_path):
    from tokenizers import ByteLevelBPETokenizer

    made = ByteLevelBPETokenizer()
    made.train_from_iterator(words() * 3, vocab_size=400, special_tokens=["<|endoftext|>"])
    made.save_model(str(tmp_path))
    tokenizer = read_published(tmp_path)
    reference = transformers.GPT2TokenizerFast.from_pretrained(tmp_path)
    for text in words():
        encoded = reference(text, split_special_tokens=True)["input_ids"]
        assert tokenizer.encode(text).tolist() == encoded
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert (
        tokenizer.vocab_size == len(reference)
        and tokenizer.pad_id == tokenizer.specials["<|endoftext|>"]
    )
    assert len(tokenizer.token_bytes()) == tokenizer.vocab_size == len(tokenizer.word_starts())


@pytest.mark.parametrize("lower", [True, False])
def test_berts_tokenizer_equals_the_reference(tmp_path, lower):
    vocabulary = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = "hello world Hello , ! un ##believ ##able token ##ization an again cafe naive 你 好"
    (tmp_path / "vocab.txt").write_text("\n".join([*vocabulary, *pieces.split()]) + "\n")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
    tokenizer = read_published(tmp_path)
    reference = transformers.BertTokenizerFast.from_pretrained(tmp_path, do_lower_case=lower)
    for text in words():
        if "[" in text:
            continue
        encoded = reference(text, add_special_tokens=True)["input_ids"]
        assert tokenizer.wrap(tokenizer.encode(text), 50).tolist() == encoded
    assert tokenizer.specials["[MASK]"] == 5 and tokenizer.pad_id == 0 and tokenizer.first_id == 6
    assert 5 not in tokenizer.encode("a [MASK] here")
    assert len(tokenizer.wrap(tokenizer.encode("hello world again"), 4)) == 4


def test_a_damaged_tokenizer_is_named(tmp_path):
    assert read_published(tmp_path) is None
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="its tokenizer cannot be read"):
        read_published(tmp_path)
