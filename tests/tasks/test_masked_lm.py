"""Mask rates, whole words, sums, exact accumulation, answers to prompts."""

import numpy as np
import pytest
import torch
from masked_texts import CHAR, EOT, MASK_ID, SIZE, SPECIALS, guessed, texts
from previews import Previews
from torch import nn

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.models.bert import BERT
from zoo.registry import TASKS
from zoo.tasks.masked_lm import MaskedLM
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients

HERE = Runtime(torch.device("cpu"))


def task_of(tokenizer=CHAR, **options):
    return MaskedLM(tokenizer.vocab_size, tokenizer, tokenizer.specials["[MASK]"], **options)


# ------------------------------------------------------------------------------- masking


def test_training_masks_at_its_rate_and_evaluation_at_fifteen_percent():
    task, batch = task_of(mask_rate=0.3), texts(5)
    assert guessed(task.mask(batch, training=True), batch)[0].sum() == 5 * 12
    assert guessed(task.mask(batch, training=False), batch)[0].sum() == 5 * 6
    shorter = {"input": batch["input"][:, :3]}  # at least one, and not all
    assert guessed(task.mask(shorter, training=True), shorter)[0].sum() == 5


def test_the_last_token_of_a_window_is_never_read():
    task, batch = task_of(), texts(4)
    other = batch["input"].clone()
    other[:, -1] = 2
    masked = [task.mask({"input": x}, True) for x in (batch["input"], other)]
    assert all(torch.equal(a, b) for a, b in zip(*masked))


class Syllables:
    """A tokenizer whose tokens begin a word when even; two special tokens."""

    kind, vocab_size, specials = "bpe", 40, {"<|endoftext|>": 0, "[MASK]": 1}
    first_id = 2

    def word_starts(self):
        return [True, True] + [k % 2 == 0 for k in range(2, 40)]


@pytest.mark.parametrize("training", [True, False])
def test_whole_words_are_masked(training):
    tokenizer = Syllables()
    task = MaskedLM(40, tokenizer, 1, mask_rate=0.4, whole_word=True)
    batch = {"input": texts(400, seed=3)["input"] + 5}
    batch["input"][:, 20] = EOT
    masked = task.mask(batch, training)
    places, truth, _ = guessed(masked, batch)
    for row, hidden in zip(batch["input"][:, :-1].tolist(), places.tolist()):
        words, word = [], []
        for place, token in enumerate(row):
            if tokenizer.word_starts()[token] and word:
                words, word = [*words, word], []
            word.append(hidden[place])
        assert all(len(set(word)) == 1 for word in [*words, word])
    rate = len(truth) / places.numel()
    assert 0.8 * rate_of(task, training) < rate <= rate_of(task, training)
    assert not places[:, 20].any()


def test_words_that_a_segmenter_finds_are_masked_together(monkeypatch):
    pairs = lambda rows: np.arange(rows.size).reshape(rows.shape) % 2 == 0  # noqa: E731
    monkeypatch.setattr(CHAR, "word_finder", lambda: pairs, raising=False)
    task, batch = (
        task_of(mask_rate=0.4, whole_word=True, segmenter="jieba", shares=[1.0, 0.0, 0.0]),
        texts(300),
    )
    places, _, shown = guessed(task.mask(batch, True), batch)
    assert torch.equal(places[:, ::2], places[:, 1::2]) and 0.3 < places.float().mean() <= 0.4
    assert (shown == MASK_ID).all()


def rate_of(task, training):
    return task.mask_rate if training else 0.15


# ---------------------------------------------------------------------------------- step


class Table(nn.Module):
    """Logits that depend on what is shown at each place alone."""

    def __init__(self, size=SIZE, context=None):
        super().__init__()
        torch.manual_seed(0)
        self.rows = nn.Embedding(size, size)
        self.context = context

    def forward(self, tokens, positions=None):
        logits = self.rows(tokens)
        return logits if positions is None else logits.flatten(0, 1)[positions]


@pytest.mark.parametrize("training", [True, False])
def test_sums_equal_a_direct_computation(training):
    task, batch, model = task_of(mask_rate=0.3), texts(7), Table().train(training)
    output = task.step(model, batch)
    masked = task.mask(batch, training)
    loss = right = count = 0
    for row in range(7):
        for place in range(40):
            if row * 40 + place in masked.positions.tolist():
                scores = model.rows.weight[masked.input_ids[row, place]].double()
                truth = batch["input"][row, place]
                loss += (scores.logsumexp(0) - scores[truth]).item()
                right += int(scores.argmax() == truth)
                count += 1
    assert count == int(output.count) == 7 * (12 if training else 6)
    assert output.loss_sum.item() == pytest.approx(loss, rel=1e-5)
    assert output.sums == ({} if training else {"accuracy": right})
    figures = task.summarize(
        {"loss": torch.tensor(2.0), "accuracy": torch.tensor(0.25), "count": torch.tensor(4)}
    )
    assert figures == {"loss": 2.0, "perplexity": pytest.approx(7.389056), "accuracy": 0.25}


def test_a_batch_of_special_tokens_alone_teaches_nothing():
    batch = {"input": torch.zeros(3, 9, dtype=torch.int64)}
    output = task_of().step(Table(), batch)
    assert output.loss_sum.item() == 0 == int(output.count) == int(task_of().count(batch))
    assert int(task_of().count(texts(3, length=13))) > 0


def test_a_single_token_has_none_to_be_predicted_from():
    task = task_of()
    with pytest.raises(UserError, match="data.block_size=1: .* expected 2 or more"):
        task.count({"input": torch.full((3, 2), SIZE - 1)})
    assert task.count({"input": torch.full((3, 3), SIZE - 1)}) == 3


@pytest.mark.parametrize("kind", ["byte", "char"])
def test_whole_words_need_a_tokenizer_of_words(kind):
    tokenizer = train_tokenizer(kind, ["ab"], specials=["[MASK]"])
    facts = {"vocab_size": tokenizer.vocab_size, "tokenizer": tokenizer, "mask_id": 0}
    with pytest.raises(UserError, match=f"task.whole_word=true .* data.tokenizer={kind} has none"):
        MaskedLM(**facts, whole_word=True)


@pytest.mark.parametrize("counts", [[16], [8, 8], [1, 14, 1], [5, 8, 3]])
def test_micro_batches_and_ranks_of_unequal_counts_give_the_gradient_of_the_whole(counts):
    """Ranks add up what micro-batches add up; the masks are those of the whole batch in both."""
    batch = texts(16, length=13)
    batch["input"][9:, 2:] = EOT  # in these texts one or two tokens can be hidden
    task = task_of(mask_rate=0.4)

    def model():
        torch.manual_seed(0)
        return BERT(SIZE, 12, width=16, depth=1, heads=2, dropout=0.0)

    whole = model().double()
    output = task.step(whole, batch)
    assert int(output.count) < 9 * 5 + 7 * 2 + 1
    (output.loss_sum / output.count).backward()
    cut = model()
    micro_batches = [{"input": part} for part in batch["input"].split(counts)]
    assert len({int(task.step(cut, part).count) for part in micro_batches}) == len(counts)
    precision = Precision("fp32", HERE.device)
    accumulate_gradients(cut, task, micro_batches, precision, HERE, RunningMetrics())
    for actual, expected in zip(cut.parameters(), whole.parameters()):
        error = (actual.grad.double() - expected.grad).norm() / expected.grad.norm()
        assert error < 1e-5


# ------------------------------------------------------------------------------- answers


def test_names_the_likeliest_tokens_for_each_blank():
    model, task = Table(), task_of()
    rows = list(task.respond(model, "the [MASK]at sat on [MASK]", top=3))
    assert [row["blank"] for row in rows] == [1, 2]
    expected = model.rows.weight[MASK_ID].detach().softmax(0)
    best = expected.topk(3)
    for row in rows:
        assert list(row["probabilities"]) == [CHAR.token(i) for i in best.indices.tolist()]
        assert list(row["probabilities"].values()) == pytest.approx(best.values.tolist())
        assert row["token"] == CHAR.token(int(expected.argmax()))
        assert row["probability"] == pytest.approx(float(expected.max()))


def test_a_byte_pair_token_brings_its_own_space():
    corpus = "the name of the list, the value of the name " * 20
    bpe = train_tokenizer("bpe", [corpus], vocab_size=300, specials=SPECIALS)
    expected = bpe.encode("the name of").tolist()
    assert len(expected) == 3
    assert task_of(bpe).encode("the [MASK] of") == [expected[0], MASK_ID, expected[2]]
    two = task_of(bpe).encode("[MASK] [MASK] of")
    assert two == [MASK_ID, MASK_ID, expected[2]]
    assert task_of().encode("a [MASK]") == [*CHAR.encode("a ").tolist(), MASK_ID]


@pytest.mark.parametrize(
    ("text", "top", "message"),
    [
        ("how are you", 5, "input: no [MASK] in 'how are you'; write [MASK] for each token"),
        ("how ___ you", 5, "no [MASK] in 'how ___ you'"),
        ("", 5, "no [MASK]"),
        ("a b c d [MASK] e", 5, "input: 11 tokens, and the model reads at most 8 at once; leave"),
        ("[MASK]", 0, "top=0: expected 1 to 29"),
        ("[MASK]é", 5, "é"),
    ],
)
def test_a_prompt_that_cannot_be_answered_says_why(text, top, message):
    with pytest.raises(UserError) as error:
        list(task_of().respond(Table(context=8), text, top=top))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_preview_shows_blanks_right_and_wrong():
    previews = Previews()
    task, batch, model = task_of(), texts(3), Table().eval()
    with torch.no_grad():
        task.preview(model, batch, {}, previews)
        right = int(task.step(model, batch).sums["accuracy"])
    text = previews.texts["blanks"]
    assert text.count("{") == 3 * 6
    assert text.count(" -> ") == 3 * 6 - right
    for row in batch["input"][:, :-1]:
        assert CHAR.decode(row[:3]) in text or "{" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "set data.mask_token=true"),
        ({"mask_id": 1, "mask_rate": 1.5}, "task.mask_rate=1.5: expected between 0 and 1"),
        ({"mask_id": 1, "shares": [0.8, 0.1]}, "task.shares=.0.8, 0.1.: expected three numbers"),
        ({"mask_id": 1, "segmenter": "jieba"}, "task.segmenter=jieba finds words; add task.whole"),
        ({"mask_id": 1, "shares": [1.2, -0.2, 0.0]}, "that are 1 together"),
        ({"mask_id": 1, "shares": [0.8, 0.1, 0.2]}, "that are 1 together"),
    ],
)
def test_mistakes_in_a_config_are_one_clear_line(options, message):
    config = {"name": "masked_lm"} | {k: v for k, v in options.items() if k != "mask_id"}
    facts = {k: v for k, v in options.items() if k == "mask_id"}
    with pytest.raises(UserError, match=message):
        TASKS.build(config, vocab_size=SIZE, tokenizer=CHAR, **facts)
