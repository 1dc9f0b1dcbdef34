"""Options ranked by a causal language model: which tokens are scored, after which."""

import math

import pytest
import torch
from sample_chats import CHATML, FORMATS, tokenizer_json
from torch import nn

from zoo.data.chat.format import ChatFormat
from zoo.data.tokenizers.bpe import BpeTokenizer
from zoo.data.tokenizers.published import PublishedTokenizer
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.tasks.causal_lm import CausalLM

EOT = "<|endoftext|>"
BPE = BpeTokenizer.train(["the film was good, the film was bad"] * 9, 300, [EOT])


class Counts(nn.Module):
    """Each next token has probability 1 / V, tokens of `likely` e times that before they are
    normalised; remembers what it has read."""

    def __init__(self, vocab_size, likely=(), context=None):
        super().__init__()
        self.context, self.read = context, []
        logits = torch.zeros(vocab_size)
        logits[list(likely)] = 1.0
        self.logits = nn.Parameter(logits)

    def forward(self, tokens):
        self.read += tokens.tolist()
        return self.logits.expand(*tokens.shape, -1)


def task(tokenizer, **options):
    return CausalLM(tokenizer.token_bytes(), tokenizer, tokenizer.specials.get(EOT), **options)


def rank(model, task, text, options):
    (row,) = task.rank(model, text, options)
    assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert row["option"] == max(row["probabilities"], key=row["probabilities"].get)
    assert row["probability"] == row["probabilities"][row["option"]]
    return row


def test_sums_decide_and_means_are_of_tokens():
    tokenizer = train_tokenizer("char", ["abcd"])
    model = Counts(4, likely=[tokenizer.encode("a")[0]])
    row = rank(model, task(tokenizer), "d", ["aab", "b"])
    log_b = -math.log(3 + math.e)
    assert row["log_probabilities"]["aab"] == pytest.approx(2 * (1 + log_b) + log_b)
    assert row["log_probabilities"]["b"] == pytest.approx(log_b)
    assert row["option"] == "b"
    assert row["means_per_token"]["aab"] == pytest.approx(2 / 3 + log_b)
    assert row["means_per_token"]["aab"] > row["means_per_token"]["b"]


def test_all_options_follow_the_same_tokens_as_in_the_whole_text():
    """A space that ends the text is part of the option's first token, as in training."""
    model = Counts(BPE.vocab_size)
    rank(model, task(BPE), "the film was ", ["good", "bad", "xyz"])
    shared = BPE.encode("the film was").tolist()
    wholes = [BPE.encode(f"the film was {word}").tolist() for word in ("good", "bad", "xyz")]
    assert all(whole[: len(shared)] == shared for whole in wholes)
    for whole in wholes:
        assert any(read[: len(whole) - 1] == whole[:-1] for read in model.read)
    row = rank(model, task(BPE), "the film was ", ["good", "bad", "xyz"])
    for word, whole in zip(("good", "bad", "xyz"), wholes):
        expected = -(len(whole) - len(shared)) * math.log(BPE.vocab_size)
        assert row["log_probabilities"][word] == pytest.approx(expected)


def test_what_stands_before_an_empty_text_takes_room_too():
    option = "good" * 3
    tokens = len(BPE.encode(option))
    model = Counts(BPE.vocab_size, context=tokens)
    rank(model, task(BPE), "", [option, "bad"])
    assert max(map(len, model.read)) == tokens
    with pytest.raises(UserError, match=f"has {tokens + 1} tokens, and the model's context is"):
        rank(Counts(BPE.vocab_size, context=tokens - 1), task(BPE), "", [option, "bad"])


def test_an_empty_text_begins_after_another_one():
    model = Counts(BPE.vocab_size)
    rank(model, task(BPE), "", ["good", "bad"])
    assert {read[0] for read in model.read} == {BPE.specials[EOT]}


def test_answers_to_prompts_are_scored_with_their_end():
    model = Counts(BPE.vocab_size, likely=[BPE.specials[EOT]])
    row = rank(model, task(BPE, template="Q: {prompt}\n"), "the film", ["good", "bad"])
    before = BPE.encode("Q: the film\n").tolist()
    likely = 1 - math.log(BPE.vocab_size - 1 + math.e)
    for word in ("good", "bad"):
        ids = BPE.encode(word).tolist()
        assert any(read[: len(before + ids)] == before + ids for read in model.read)
        expected = len(ids) * (likely - 1) + likely
        assert row["log_probabilities"][word] == pytest.approx(expected, rel=1e-6)


def test_answers_of_a_conversation_are_as_in_its_template():
    tokenizer = PublishedTokenizer(tokenizer_json(FORMATS["chatml"][1]))
    tokenizer.chat = {"source": CHATML, "variables": {"eos_token": "<|im_end|>"}}
    form = ChatFormat(tokenizer)
    model = Counts(tokenizer.vocab_size)
    rank(model, task(tokenizer, chat=form), "Is it short?", ["Yes", "No: long"])
    messages = [{"role": "user", "content": "Is it short?"}]
    for option in ("Yes", "No: long"):
        before, answer = form.answer([*messages, {"role": "assistant", "content": option}])
        whole = [*before, *answer]
        assert whole[-1] == form.end_id and any(
            r[: len(whole) - 1] == whole[:-1] for r in model.read
        )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["good"], "expected two different texts or more"),
        (["good", "good"], "expected two different texts or more"),
        (["good", ""], "one is empty"),
        (["good", "d" * 9], "option 'ddddddddd' has 10 tokens, and the model's context is 8"),
        (["good", "x"], "options: one has characters that the vocabulary"),
    ],
)
def test_what_is_no_choice_is_refused(options, expected):
    tokenizer = train_tokenizer("char", ["good"])
    model = Counts(tokenizer.vocab_size, context=8)
    with pytest.raises(UserError, match=expected):
        list(task(tokenizer).rank(model, "g", options))


def test_options_of_the_same_tokens_are_refused():
    tokenizer = train_tokenizer("word", ["good film"] * 9)
    with pytest.raises(UserError, match="tells them not apart"):
        list(task(tokenizer).rank(Counts(tokenizer.vocab_size), "film ", ["good", "Good"]))
