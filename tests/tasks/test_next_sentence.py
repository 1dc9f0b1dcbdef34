"""Masked tokens and pairs together: sums, gradients, and a run from its training to its answers."""

import json
import re

import pytest
import torch
import torch.nn.functional as F
import transformers
from masked_texts import CHAR, EOT, SIZE, texts
from previews import Previews

from zoo.commands.evaluate import main as evaluate
from zoo.commands.export import main as export
from zoo.commands.predict import main as predict
from zoo.errors import UserError
from zoo.kernels import IGNORE_INDEX
from zoo.models.bert import BERT
from zoo.tasks.masked_lm import MaskedLM
from zoo.tasks.next_sentence import pair_logits, pair_metrics, trivial_pairs
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients

HERE = Runtime(torch.device("cpu"))
TASK = MaskedLM(SIZE, CHAR, CHAR.specials["[MASK]"], next_sentence=True)
PADDED = MaskedLM(SIZE, CHAR, CHAR.specials["[MASK]"], next_sentence=True, pad_id=EOT)


def batch(rows=8, length=13):
    tokens = texts(rows, length)["input"]
    tokens[rows // 2, 3:] = EOT  # fewer tokens to hide than in other rows
    types = (torch.arange(length) > 5).long().repeat(rows, 1)
    return {"input": tokens, "types": types, "follows": torch.arange(rows) % 3 % 2}


def network(pool="first"):
    torch.manual_seed(0)
    options = {"width": 16, "depth": 1, "heads": 2, "dropout": 0.0, "pair_pool": pool}
    return BERT(SIZE, 12, **options, next_sentence=True)


@pytest.mark.parametrize("pool", ["first", "passages"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("task", [TASK, PADDED])
def test_both_means_are_added(task, training, pool):
    model, rows = network(pool).train(training), batch()
    output = task.step(model, rows)
    masked = task.mask(rows, training)
    options = {"positions": masked.positions, "types": rows["types"][:, :-1], "pairs": True}
    logits, follows = model(masked.input_ids, **options)
    if not training:  # the answer is for the text as it is
        follows = model(rows["input"][:, :-1], **options)[1]
        assert not follows.equal(model(masked.input_ids, **options)[1])
    tokens = F.cross_entropy(logits, masked.labels, ignore_index=IGNORE_INDEX, reduction="sum")
    losses = F.cross_entropy(follows, 1 - rows["follows"], reduction="none")
    weights = torch.tensor([2] * 8)  # the number of tokens that a pair may hide
    weights[4] = 2 if task is TASK else 1
    torch.testing.assert_close(output.loss_sum, tokens + (weights * losses).sum())
    pairs = losses.sum()
    torch.testing.assert_close(output.sums["loss"], tokens.detach())
    means = {n: v / output.count for n, v in (output.sums | {"count": output.count}).items()}
    metrics = task.summarize(means)
    assert metrics["next_loss"] == pytest.approx(float(pairs.detach()) / 8, rel=1e-5)
    right = (follows.argmax(1) == 1 - rows["follows"]).float().mean()
    assert metrics["next_accuracy"] == pytest.approx(float(right))
    assert metrics["total_loss"] == pytest.approx(metrics["loss"] + metrics["next_loss"])
    assert float(means["follows"] / means["pairs"]) == pytest.approx(rows["follows"].sum() / 8)
    assert task.monitor == "-total_loss" and pair_metrics({"loss": torch.tensor(1.0)}) == {}


@pytest.mark.parametrize("counts", [[4, 4], [1, 5, 2]])
@pytest.mark.parametrize("task", [TASK, PADDED])
def test_micro_batches_give_the_gradient_of_the_whole(task, counts):
    whole, cut, rows = network(), network(), batch()
    output = task.step(whole, rows)
    (output.loss_sum / output.count).backward()
    columns = {name: column.split(counts) for name, column in rows.items()}
    parts = [{name: c[k] for name, c in columns.items()} for k in range(len(counts))]
    precision = Precision("fp32", HERE.device)
    accumulate_gradients(cut, task, parts, precision, HERE, RunningMetrics())
    for actual, expected in zip(cut.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-4, atol=1e-6)


def test_the_trivial_answer_is_the_more_frequent_one():
    means = {"pairs": torch.tensor(0.5), "follows": torch.tensor(0.125), "loss": torch.tensor(2.0)}
    metrics = pair_metrics(means | trivial_pairs(means))
    assert metrics["next_accuracy"] == 0.75 and metrics["next_loss"] == pytest.approx(0.6931472)
    assert trivial_pairs({}) == {}


def test_a_preview_shows_where_passages_meet_and_the_answers():
    previews, model, rows = Previews(), network().eval(), batch()
    with torch.no_grad():
        TASK.preview(model, rows, {}, previews)
        logits = pair_logits(model, rows["input"][:, :-1], rows["types"][:, :-1])
    head, _, *lines = previews.texts["pairs"].splitlines()
    assert head == "| first passage | second passage | right answer | predicted |"
    for line, follows, (yes, no) in zip(lines, rows["follows"], logits, strict=True):
        right, said = line.split(" | ")[-2:]
        assert right == ("follows" if follows else "does not")
        assert said.startswith("follows (" if yes >= no else "does not (")


WORDS = ["one", "two", "six", "ten", "red", "blue", "grey", "pink", "cat", "dog", "cow", "hen"]


def test_a_run_from_training_to_answers(trained, command, refused, tmp_path):
    for k, word in enumerate(WORDS):
        (tmp_path / f"{k:02d}.txt").write_text(f"The {word} is {word}. " * 60)
    (tmp_path / "99.txt").write_text("No.")
    run = trained(
        "pairs", "model=bert", "task=masked_lm", "data=text", f"data.path={tmp_path}",
        f"data.root={tmp_path}", "data.mask_token=true", "data.next_sentence=true",
        "data.block_size=32", "data.batch_size=16", "data.tokenizer=bpe", "data.vocab_size=330",
        "model.width=32", "model.depth=2", "model.heads=2", "optim.lr=0.003",
        "data.val_fraction=0.2", "data.test_fraction=0.2", "trainer.eval_steps=40",
    )  # fmt: skip

    def rows(main, *arguments):
        done = command(main, f"run={run}", *arguments, "json=true")
        assert done.code == 0, done.err
        return json.loads(done.out)

    said = (run / "train.log").read_text()
    assert re.search(r"1 of \d+ documents have fewer than 16 tokens and give no pairs", said)
    metrics = rows(evaluate)["metrics"]
    assert metrics.keys() >= {"next_loss", "next_accuracy", "total_loss", "perplexity"}
    pair = rows(predict, "input=The cat is cat.", "second= The cat is")
    blank = rows(predict, "input=The [MASK] is cat.")
    line = refused(predict, f"run={run}", "input=a", f"second={'cat ' * 40}")
    assert line.startswith("input: ") and "the model reads at most 32 at once" in line
    assert (
        refused(predict, f"run={run}", "input=a", "second=")
        == "second= has no token; expected two texts"
    )
    folder = tmp_path / "hf"
    assert command(export, f"run={run}", "format=hf", f"out={folder}").code == 0
    (answer,) = transformers.pipeline("fill-mask", str(folder), top_k=1)("The [MASK] is cat.")
    assert answer["score"] == pytest.approx(blank["probability"], rel=1e-3)
    model = transformers.BertForPreTraining.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer("The cat is cat.", " The cat is", return_tensors="pt")
    expected = model(**inputs).seq_relationship_logits.softmax(1)[0].tolist()
    assert list(pair["probabilities"].values()) == pytest.approx(expected, abs=1e-5)
    assert pair["class"] == ("follows" if expected[0] > expected[1] else "does not")


def test_a_head_that_published_weights_lack_is_refused(trained, refused, tmp_path):
    (tmp_path / "a.txt").write_text("One is one. Two is two. " * 40)
    (tmp_path / "b.txt").write_text("Six is six. Ten is ten. " * 40)
    run = trained(
        "passages", "model=bert", "task=masked_lm", "data=text", f"data.path={tmp_path}",
        f"data.root={tmp_path}", "data.mask_token=true", "data.next_sentence=true",
        "data.block_size=24", "data.tokenizer=byte", "model.width=8", "model.depth=1",
        "model.heads=2", "model.pair_pool=passages", "trainer=debug",
        "data.val_fraction=0.25", "data.test_fraction=0.25",
    )  # fmt: skip
    line = refused(export, f"run={run}", "format=hf", f"out={tmp_path / 'hf'}")
    assert "model.pair_pool=passages" in line and not (tmp_path / "hf").exists()


def test_pairs_are_for_a_task_that_reads_them(mistake):
    line = mistake("model=gpt", "task=causal_lm", "data=pydoc", "data.next_sentence=true")
    assert line.startswith("data.next_sentence=true gives pairs of passages, which task=causal_lm")


def test_a_second_text_needs_a_run_of_pairs():
    task = MaskedLM(SIZE, CHAR, CHAR.specials["[MASK]"])
    with pytest.raises(UserError, match="second= needs a run with data.next_sentence=true"):
        list(task.respond(network(), "a", second="b"))
