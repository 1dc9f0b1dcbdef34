"""What all tokenizers have in common: special tokens, and ids made visible."""

import pytest
from sample_tokenizers import MADE, MIXED, SPECIALS

from zoo.data.tokenizers.registry import EOT, MASK, train_tokenizer
from zoo.errors import UserError


@pytest.mark.parametrize("kind", MADE)
def test_no_text_is_encoded_as_a_special_token(kind):
    tokenizer = MADE[kind]
    numbers = {tokenizer.specials[name] for name in SPECIALS}
    assert numbers.isdisjoint(tokenizer.encode(MIXED).tolist())
    for name in SPECIALS:
        if kind == "char":
            assert tokenizer.decode(tokenizer.encode(name)) == name
        assert tokenizer.specials[name] not in tokenizer.encode(name)


@pytest.mark.parametrize("kind", MADE)
def test_special_tokens_come_first_have_names_and_no_bytes(kind):
    tokenizer = MADE[kind]
    first = ["<unk>"] if kind == "word" else []
    assert list(tokenizer.specials.items()) == [(n, i) for i, n in enumerate([*first, *SPECIALS])]
    assert [tokenizer.token(i) for i in range(len(tokenizer.specials))] == [*first, *SPECIALS]
    assert tokenizer.token_bytes()[: len(tokenizer.specials)] == [0] * len(tokenizer.specials)
    assert len(tokenizer.token_bytes()) == len(tokenizer.word_starts()) == tokenizer.vocab_size
    ids = tokenizer.encode("the cat").tolist()
    assert tokenizer.decode([tokenizer.specials[EOT], *ids, tokenizer.specials[MASK]]) == "the cat"


@pytest.mark.parametrize("kind", MADE)
def test_half_a_character_is_refused_with_its_place(kind):
    for text, said in (
        ("the \ud83d", "half a character, U\\+D83D, as its character 5: an emoji .* cut in two"),
        ("明\udcff", "the text is not UTF-8: byte 0xff as its character 2; set the terminal"),
    ):
        with pytest.raises(UserError, match=said):
            MADE[kind].encode(text)


def test_visible_tokens():
    tokenizer = train_tokenizer("char", ["a b\n\t"])
    assert [tokenizer.token(i) for i in tokenizer.encode("a b\n\t")] == ["a", "·", "b", "↵", "⇥"]
