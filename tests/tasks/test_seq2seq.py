"""Sequence to sequence: sums are exact however batches are cut and padded; BLEU is sacrebleu's."""

import copy
import math
from collections import Counter

import pytest
import sacrebleu
import torch
import torch.nn.functional as F
from previews import Previews
from torch import nn

from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.tasks.seq2seq import Seq2Seq
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients

HERE = Runtime(torch.device("cpu"))
FP32 = Precision("fp32", HERE.device)
PAD, BOS, EOS = 0, 1, 2
LENGTH = 60
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;'!?-|"
TOKENIZER = train_tokenizer("char", [LETTERS], specials=["<pad>", "<s>", "</s>"])
SOURCES = ["eins", "zwei", "drei, vier", "5", "sechs sieben", "acht"]
REFERENCES = [
    "A man's dog runs, doesn't it?",
    "Two men are riding a red bicycle.",
    "The quick brown fox jumps over the lazy dog",
    "Three | four",
    "A little girl is climbing into a wooden playhouse",
    "no",
]
WRITTEN = [
    "A man's dog runs, does it?",
    "Two men are riding a bicycle.",
    "The quick brown fox jumps over the lazy dog",
    "Three four",
    "A girl climbs into a playhouse",
    "",
]


def rows(texts, extra=0):
    """Sequences as padded ids, with more columns of padding."""
    ids = [[BOS, *TOKENIZER.encode(text).tolist(), EOS] for text in texts]
    width = max(map(len, ids)) + extra
    return torch.tensor([sequence + [PAD] * (width - len(sequence)) for sequence in ids])


def batch_of(texts=SOURCES, references=REFERENCES, extra=0):
    return {"source": rows(texts, extra), "target": rows(references, extra)}


def batches(cuts=(2, 3, 1), **options):
    """The same pairs in several batches, each with its own padding."""
    start = 0
    for k, number in enumerate(cuts):
        part = slice(start, start + number)
        yield batch_of(SOURCES[part], REFERENCES[part], extra=k)
        start += number


class Parrot(nn.Module):
    """Writes a known text for each known source, sure of itself, whatever was read before."""

    def __init__(self, written=WRITTEN):
        super().__init__()
        self.answers = {
            tuple(source[source != PAD].tolist()): answer
            for source, answer in zip(rows(SOURCES), rows(written), strict=True)
        }
        self.marker = nn.Parameter(torch.zeros(()))
        self.calls = 0

    def forward(self, source, target, positions=None):
        logits = self.decode(target, self.encode(source))
        return logits if positions is None else logits.flatten(0, 1)[positions]

    def encode(self, source):
        actual = [self.answers[tuple(row[row != PAD].tolist())] for row in source]
        return torch.stack([F.pad(row[1:], (0, LENGTH)) for row in actual])

    def decode(self, tokens, memory, cache=None):
        self.calls += 1
        start = 0 if cache is None else cache[0]
        if cache is not None:
            cache[0] += tokens.shape[1]
        expected = memory[:, start : start + tokens.shape[1]]
        return 9.0 * F.one_hot(expected, TOKENIZER.vocab_size).float() + self.marker

    def new_cache(self, batch_size):
        return [0]

    def select(self, kept, index):
        return kept if isinstance(kept, list) else kept[index]


def task_of(**options):
    facts = dict(pad_id=PAD, bos_id=BOS, eos_id=EOS, max_length=LENGTH)
    return Seq2Seq(TOKENIZER, **facts, **options)


def network(name="transformer", seed=0):
    torch.manual_seed(seed)
    facts = dict(vocab_size=TOKENIZER.vocab_size, pad_id=PAD, max_length=LENGTH)
    options = {k: v for k, v in MODELS[name].tests["tiny"].items() if k not in facts}
    return MODELS.build({"name": name, **options, "dropout": 0.0}, **facts)


def evaluated(model, task, parts, final=False):
    return evaluate(model, task, parts, FP32, HERE, final=final)


every_model = pytest.mark.parametrize("name", ["transformer", "rnn_attention"])


@every_model
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_that_of_each_next_token_alone(name, smoothing):
    """Against probabilities in float64, sentence by sentence without any padding."""
    model, task = network(name).double(), task_of(label_smoothing=smoothing)
    for training in (True, False):
        output = task.step(model.train(training), batch_of(extra=3))
        eps = smoothing if training else 0.0
        total = count = right = 0
        for source, target in zip(SOURCES, REFERENCES, strict=True):
            logits = model(rows([source]), rows([target])[:, :-1])[0].detach()
            log_probs, expected = logits.log_softmax(1), rows([target])[0, 1:]
            picked = log_probs[range(len(expected)), expected].sum()
            total += -((1 - eps) * picked + eps * log_probs.mean(1).sum())
            count += len(expected)
            right += int((logits.argmax(1) == expected).sum())
        assert float(output.loss_sum.detach()) == pytest.approx(float(total), rel=1e-9)
        assert int(output.count) == count
        assert training or int(output.sums["accuracy"]) == right


@every_model
def test_gradients_do_not_see_how_a_batch_is_cut_and_padded(name):
    one, other = network(name).double(), network(name).double()
    task, window = task_of(label_smoothing=0.1), RunningMetrics()
    for model, parts in ((one, [batch_of()]), (other, list(batches()))):
        accumulate_gradients(model, task, parts, FP32, HERE, window)
    for (key, a), (_, b) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-6, atol=1e-9, msg=key)


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("cuts", [(6,), (2, 3, 1), (1,) * 6])
def test_bleu_is_sacrebleus_over_the_whole_corpus(cuts, final):
    task = task_of()
    means = evaluated(Parrot(), task, batches(cuts), final)
    figures = task.summarize(means)
    expected = sacrebleu.corpus_bleu(WRITTEN, [REFERENCES])
    assert figures["bleu"] == expected.score and 20 < expected.score < 80
    assert figures["exact_match"] == 1 / 6
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))
    details = task.details(means)["bleu"]
    assert details["precisions"] == list(expected.precisions)
    assert details["brevity_penalty"] == expected.bp
    metric = sacrebleu.metrics.BLEU()
    metric.corpus_score(WRITTEN, [REFERENCES])
    assert details["signature"] == str(metric.get_signature())


def test_nothing_right_has_a_bleu_of_zero():
    task = task_of()
    assert task.summarize(evaluated(Parrot([""] * 6), task, batches()))["bleu"] == 0.0
    assert task.summarize(evaluated(Parrot(REFERENCES), task, batches()))["bleu"] == pytest.approx(
        100
    )


def test_a_corpus_without_any_right_phrase_is_smoothed_as_sacrebleu_does():
    task, few = task_of(), ["A man walks", "Two red men sing", "fox", "four", "A girl", "yes"]
    expected = sacrebleu.corpus_bleu(few, [REFERENCES])
    assert 0 in expected.counts and expected.score > 0
    assert task.summarize(evaluated(Parrot(few), task, batches()))["bleu"] == expected.score


def test_bleu_is_by_the_script_of_the_targets_and_the_header_quotes_it():
    assert task_of().bleu_tokenizer == "13a", "the figure of older runs"
    task = task_of(target_script="Chinese", target_lengths=[3, 12])
    assert task.bleu_tokenizer == "zh" and task_of(target_script="Thai").bleu_tokenizer == "char"
    (note,) = task.notes
    assert note.startswith("BLEU by task.bleu_tokenizer=zh for Chinese targets: nrefs:1|")
    assert "|tok:zh|" in note
    means = evaluated(Parrot(), task, batches())
    expected = sacrebleu.corpus_bleu(WRITTEN, [REFERENCES], tokenize="zh")
    assert task.summarize(means)["bleu"] == expected.score
    assert "|tok:zh|" in task.details(means)["bleu"]["signature"]
    assert task_of(bleu_tokenizer="char", target_script="Chinese").bleu_tokenizer == "char"
    assert not task_of(metric="exact_match", target_script="Chinese").notes
    short = task_of(target_lengths=[3, 12]).notes[1]
    assert "the longest target has 3: it will be 0" in short and "metric=exact_match" in short


def test_ranks_add_up():
    """Two ranks' sums, gathered as the trainer gathers them."""
    task, parts = task_of(), list(batches())
    outputs = [[task.step(Parrot().eval(), one) for one in half] for half in (parts[:1], parts[1:])]
    total = {}
    for output in sum(outputs, []):
        for key, value in {"loss": output.loss_sum, "count": output.count, **output.sums}.items():
            total[key] = total.get(key, 0) + value.detach().double()
    count = total.pop("count")
    means = {key: value / count for key, value in total.items()} | {"count": count}
    assert task.summarize(means) == task.summarize(evaluated(Parrot(), task, parts))


@pytest.mark.parametrize(
    ("metric", "monitor", "during", "after"),
    [
        ("bleu", "bleu", {"bleu", "exact_match"}, {"bleu", "exact_match"}),
        ("exact_match", "exact_match", {"exact_match"}, {"exact_match"}),
        ("loss", "-loss", set(), {"exact_match"}),
    ],
)
def test_what_is_measured_when(metric, monitor, during, after):
    task = task_of(metric=metric)
    assert task.monitor == monitor
    common = {"loss", "perplexity", "accuracy"}
    assert set(task.summarize(evaluated(Parrot(), task, batches()))) == common | during
    assert set(task.summarize(evaluated(Parrot(), task, batches(), final=True))) == common | after
    output = task.step(Parrot().train(), batch_of())
    means = {"loss": output.loss_sum.detach() / output.count, "count": output.count}
    assert not output.sums and set(task.summarize(means)) == {"loss"}


def test_validation_is_greedy_and_the_test_by_beam():
    model, task = network(seed=3).eval(), task_of(beam=5, length_penalty=0.0)
    actual = {}
    for name in ("step", "test_step"):
        seen = []
        spied = copy.copy(task)
        spied._text_sums = lambda batch, texts, seen=seen: seen.extend(texts) or {}
        with torch.no_grad():
            getattr(spied, name)(model, batch_of())
        actual[name] = seen
    assert actual["step"] == task.generate(model, rows(SOURCES))
    best = task.search(model, rows(SOURCES), beam=5, length_penalty=0.0)
    assert actual["test_step"] == [TOKENIZER.decode(one[0].tokens) for one in best]
    assert actual["step"] != actual["test_step"]


def test_the_preview_shows_translations_and_references():
    writer = Previews()
    with torch.no_grad():
        task_of().preview(Parrot().eval(), batch_of(), {}, writer)
    lines = writer.texts["texts"].splitlines()
    assert lines[0] == "| source | reference | model |" and len(lines) == 8
    assert lines[5] == "| 5 | Three \\| four | Three four |"


def test_responds_with_the_best_texts_and_their_scores():
    model, task = Parrot().eval(), task_of()
    (row,) = task.respond(model, "  zwei\n")
    assert row["output"] == WRITTEN[1] and row["score"] < 0
    rows_ = list(task.respond(model, "drei, vier", beam=3, length_penalty=1.0, n_best=3))
    assert [row["output"] for row in rows_][0] == WRITTEN[2] and len(rows_) == 3
    scores = [row["score"] for row in rows_]
    assert scores == sorted(scores, reverse=True)
    (only,) = task.predict(model, {"source": rows(["zwei"], extra=2)})
    assert only == row


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(input=" "), "input is empty"),
        (dict(input="a" * 59), "input: 59 tokens, and the model reads at most 58"),
        (dict(input="żwei"), "characters that the vocabulary of .* lacks: 'ż'"),
        (dict(input="zwei", beam=0), "^beam=0: expected 1 or more"),
        (dict(input="zwei", beam=2, n_best=3), "^n_best=3: expected 1 to beam=2"),
        (dict(input="zwei", length_penalty=-1.0), "^length_penalty=-1.0: expected 0 or more"),
    ],
)
def test_what_it_cannot_respond_to(given, message):
    with pytest.raises(UserError, match=message):
        list(task_of().respond(Parrot().eval(), **given))


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"label_smoothing": 1.0}, {"length_penalty": -0.1}])
def test_options_out_of_range(wrong):
    with pytest.raises(UserError, match="^task[.]" + next(iter(wrong))):
        task_of(**wrong)


def test_the_trivial_answer_copies_the_source_and_knows_how_frequent_tokens_are():
    """By sacrebleu and by hand: the tokens of the targets, each counted once more than it is."""
    sources = [
        "no",
        REFERENCES[1].replace("red", "blue"),
        "the quick brown fox jumps",
        "4",
        "5",
        "6",
    ]
    trained = rows(REFERENCES[:4])
    task, batch = task_of(), batch_of(sources)
    assert task.baseline(evaluated(network(), task, [batch])) is None, "it is not learnt yet"
    task.learn_baseline(task.baseline_counts({"target": trained}))
    found = task.baseline(evaluated(network(), task, [batch]))
    counts = Counter(i for row in trained.tolist() for i in row[1:] if i != PAD)
    total = sum(counts.values()) + TOKENIZER.vocab_size
    predicted = [i for row in batch["target"].tolist() for i in row[1:] if i != PAD]
    loss = sum(math.log(total / (counts[i] + 1)) for i in predicted) / len(predicted)
    most = max(counts, key=counts.get)
    expected = {
        "loss": loss,
        "perplexity": math.exp(loss),
        "accuracy": predicted.count(most) / len(predicted),
        "exact_match": sum(map(str.__eq__, sources, REFERENCES)) / 6,
        "bleu": sacrebleu.corpus_bleu(sources, [REFERENCES]).score,
    }
    assert found.name == "unigram; copy of the source" and expected["bleu"] > 5
    assert found.metrics == pytest.approx(expected, rel=1e-5)
