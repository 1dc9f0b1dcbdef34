"""Tags of words: what is counted, the trivial answer, taggers of every kind, texts to predict."""

import pytest
import torch
from toys import HERE

from zoo.data.text.tagged import UNTAGGED
from zoo.data.text.tagged_encoding import TaggedEncoding
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.kernels import IGNORE_INDEX
from zoo.registry import MODELS, TASKS
from zoo.tasks.examples import tagging
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.step import RunningMetrics, accumulate_gradients

FP32 = Precision("fp32", torch.device("cpu"))
SIZES = dict(vocab_size=12, num_tags=3, pad_id=0)
TAGGERS = {
    "hmm": {},
    "rnn": dict(width=8, depth=1),
    "rnn both ways": dict(width=8, depth=2, bidirectional=True),
    "bert": dict(width=8, depth=1, heads=2, block_size=8, dropout=0.0),
}
every_tagger = pytest.mark.parametrize("name", TAGGERS)


def tagger(name):
    torch.manual_seed(0)
    model = MODELS.build({"name": name.split()[0], **TAGGERS[name]}, **SIZES)
    example = tagging({**SIZES, "block_size": 8}, train_tokenizer)
    return model, TASKS.build({"name": "tagging"}, **example.facts), example.batch


def evaluated(model, task, *batches):
    return evaluate(model, task, batches, FP32, HERE)


def test_data_and_task_mean_the_same_by_no_tag():
    assert UNTAGGED == IGNORE_INDEX


@every_tagger
def test_padding_counts_nowhere(name):
    model, task, batch = tagger(name)
    task.learn_baseline(task.baseline_counts(batch))
    narrow = [{n: c[k : k + 1, : k % 8 + 1] for n, c in batch.items()} for k in range(12)]
    whole, parts = evaluated(model, task, batch), evaluated(model, task, *narrow)
    assert whole.keys() == parts.keys()
    for key in whole:
        torch.testing.assert_close(whole[key], parts[key], rtol=1e-5, atol=1e-6)
    tagged = int((batch["target"] != UNTAGGED).sum())
    assert int(round(float(whole["tagged"] * whole["count"]))) == tagged
    words = int((batch["input"] != 0).sum())
    assert int(whole["count"]) == (words if name == "hmm" else tagged)


@every_tagger
def test_micro_batches_have_the_gradient_of_the_whole(name):
    model, task, batch = tagger(name)
    cut = [{n: c[rows] for n, c in batch.items()} for rows in (slice(0, 5), slice(5, 12))]
    found = []
    for batches in ([batch], cut):
        model.zero_grad()
        accumulate_gradients(model, task, batches, FP32, HERE, RunningMetrics())
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for whole, parts in zip(*found):
        torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-6)


@every_tagger
def test_learns_tags_that_follow_from_the_word(name):
    model, task, batch = tagger(name)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(60):
        output = task.step(model.train(), batch)
        optimizer.zero_grad()
        (output.loss_sum / output.count).backward()
        optimizer.step()
    metrics = task.summarize(evaluated(model, task, batch))
    assert metrics["accuracy"] == 1.0 and metrics["macro_f1"] == 1.0
    assert ("tag_loss" in metrics) == (name == "hmm")


def test_the_trivial_answer_is_the_most_frequent_tag_of_each_word():
    model, task, _ = tagger("rnn")
    train = {
        "input": torch.tensor([[1, 1, 1, 2], [2, 2, 3, 0]]),
        "target": torch.tensor([[0, 0, 1, 1], [1, 2, -100, -100]]),
    }
    assert task.baseline(evaluated(model, task, train)) is None  # not counted yet
    task.learn_baseline(task.baseline_counts(train))
    other = {  # word 9 was never seen: tag 1, as most words
        "input": torch.tensor([[1, 2, 9, 9, 0]]),
        "target": torch.tensor([[0, 2, 1, 2, -100]]),
    }
    baseline = task.baseline(evaluated(model, task, other))
    assert baseline.name == "most frequent tag of each word"
    assert baseline.metrics["accuracy"] == 0.5
    task.tag_counts = torch.tensor([2, 3, 1])
    majority = task.details(evaluated(model, task, other))["majority"]
    assert majority == {"tag": "tag 1", "accuracy": 0.25}


def test_words_of_several_tokens_have_their_tag_at_the_first():
    tokenizer = train_tokenizer("byte", [], specials=["<pad>"])
    encoding = TaggedEncoding(tokenizer, 8, ("a", "b", "c"))
    model = MODELS.build(
        {"name": "rnn", "width": 8, "depth": 1}, vocab_size=257, num_tags=3, pad_id=0
    )
    facts = encoding.facts() | {"tag_counts": [1, 1, 1]} | encoding.runtime_facts
    task = TASKS.build({"name": "tagging"}, **facts)
    text = "one two three four"
    with torch.no_grad():
        rows = list(task.respond(model.eval(), text))
        logits = model(torch.from_numpy(tokenizer.encode("onetwo"))[None].long())
    assert [row["word"] for row in rows] == text.split()
    assert [row["tag"] for row in rows[:2]] == ["abc"[k] for k in logits[0, [0, 3]].argmax(1)]
    for row in rows:
        assert row["probability"] == max(row["probabilities"].values())


def test_a_model_that_gives_something_else_is_refused():
    _, task, batch = tagger("rnn")
    model = MODELS.build({"name": "rnn", "width": 8, "depth": 1}, vocab_size=12)
    with pytest.raises(UserError, match=r"each of the 3 tags .* gives \(12, 8, 12\) for \(12, 8\)"):
        task.step(model, batch)
