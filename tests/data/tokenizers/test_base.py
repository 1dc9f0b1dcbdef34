"""What all tokenizers have in common: special tokens, and ids made visible."""

import pytest

from zoo.data.tokenizers.registry import EOT, MASK, train_tokenizer

SPECIALS = [EOT, MASK]


MIXED = (
    "The cat sat on the mat; the other cats sat on the other mats.\n\tdef f(x):\r\n"
    "床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"
    "Größe, naïve, été. Привет, мир! שלום 👍🏽 👨‍👩‍👧 e\u0301 \u200b\x00 |<|endoftext|>[MASK]<unk>"
)


MADE = {
    kind: train_tokenizer(kind, [MIXED] * 3, vocab_size=400, specials=SPECIALS)
    for kind in ("byte", "char", "word", "bpe")
}


@pytest.mark.parametrize("kind", MADE)
def test_no_text_is_encoded_as_a_special_token(kind):
    one = MADE[kind]
    numbers = {one.specials[name] for name in SPECIALS}
    assert numbers.isdisjoint(one.encode(MIXED).tolist())
    for name in SPECIALS:
        if kind == "char":
            assert one.decode(one.encode(name)) == name
        assert one.specials[name] not in one.encode(name)


@pytest.mark.parametrize("kind", MADE)
def test_special_tokens_come_first_have_names_and_no_bytes(kind):
    one = MADE[kind]
    first = ["<unk>"] if kind == "word" else []
    assert list(one.specials.items()) == [(n, i) for i, n in enumerate([*first, *SPECIALS])]
    assert [one.token(i) for i in range(len(one.specials))] == [*first, *SPECIALS]
    assert one.token_bytes()[: len(one.specials)] == [0] * len(one.specials)
    assert len(one.token_bytes()) == len(one.word_starts()) == one.vocab_size
    ids = one.encode("the cat").tolist()
    assert one.decode([one.specials[EOT], *ids, one.specials[MASK]]) == "the cat"


def test_visible_tokens():
    one = train_tokenizer("char", ["a b\n\t"])
    assert [one.token(i) for i in one.encode("a b\n\t")] == ["a", "·", "b", "↵", "⇥"]
