"""Words instead of tokens, and heads that differ."""

import pytest
import torch

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.tasks.plots.heads import between_words, most_different, sentence_start, words_of

TEXT = "So far. The cat isn't\nhere, 猫来 <s>"


@pytest.mark.parametrize("kind", ["byte", "char", "bpe"])
def test_tokens_of_a_word_are_put_together(kind):
    text = "the cat isn't\nhere, it sat"
    tokenizer = train_tokenizer(kind, [text * 20], **({"vocab_size": 300} if kind == "bpe" else {}))
    ids = tokenizer.encode(text).tolist()
    words = words_of(ids, tokenizer, 99)
    assert [word for word, *_ in words] == ["the", "cat", "isn't", "here", ",", "it", "sat"]
    ends = [(start, end) for _, start, end in words]
    assert ends[0][0] == 0 and ends[-1][1] == len(ids)
    assert all(end == start for (_, end), (start, _) in zip(ends, ends[1:]))
    assert len(words_of(ids, tokenizer, 3)) == 3


def test_special_tokens_and_chinese_characters_are_words():
    tokenizer = train_tokenizer("char", ["猫来 ab cd"], specials=["<pad>", "<s>"])
    ids = [1, *tokenizer.encode("猫来 ab cd").tolist(), 0]
    words = [word for word, *_ in words_of(ids, tokenizer, 99)]
    assert words == ["<s>", "猫", "来", "ab", "cd", "<pad>"]


def test_a_text_without_words_shows_its_tokens():
    tokenizer = train_tokenizer("char", ["0123456789"], specials=["<s>"])
    ids = [0, *tokenizer.encode("28254").tolist()]
    assert [word for word, *_ in words_of(ids, tokenizer, 99)] == ["<s>", *"28254"]


def test_a_sentence_begins_after_the_end_of_another():
    tokenizer = train_tokenizer("char", [TEXT])
    ids = tokenizer.encode(TEXT).tolist()
    assert tokenizer.decode(ids[sentence_start(ids, tokenizer) :]).startswith(" The cat")
    assert sentence_start(ids[:8], tokenizer) == 0  # too little would be left


def test_a_words_weight_is_the_sum_of_its_tokens_and_its_view_their_mean():
    weights = torch.tensor([[[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.0, 1.0, 0.0]]])
    words = [("ab", 0, 2), ("c", 2, 3)]
    merged = between_words(weights, words, words)
    torch.testing.assert_close(merged, torch.tensor([[[0.55, 0.45], [1.0, 0.0]]]))


def test_heads_that_differ_most_are_chosen_greedily():
    """On a line at 0, 1, 5, 9, 10 (of total variation 0.1): the ends first, then the middle."""
    first = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    weights = torch.stack([first, 1 - first], 1)[:, None].expand(5, 3, 2)
    assert most_different(weights, 2) == [0, 4]
    assert most_different(weights, 3) == [0, 2, 4]
    assert most_different(weights, 9) == [0, 1, 2, 3, 4]
    assert most_different(weights[:1], 3) == [0]
