"""Text infilling: sources with gaps, sums, and a run from its training to its answers."""

import json

import pytest
import torch
import torch.nn.functional as F

from zoo.commands.predict import main as predict
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.transformer import Transformer
from zoo.tasks.infilling import Infilling

SPECIALS = ["<|endoftext|>", "<pad>", "<s>", "</s>", "[MASK]"]
CHAR = train_tokenizer("char", ["abcdefghij "], specials=SPECIALS)
IDS = {"pad_id": 1, "bos_id": 2, "eos_id": 3, "mask_id": 4}
TASK = Infilling(CHAR, max_length=22, **IDS)


def batch(rows=6):
    generator = torch.Generator().manual_seed(0)
    return {"input": torch.randint(5, CHAR.vocab_size, (rows, 21), generator=generator)}


def test_a_source_is_the_target_with_gaps_whatever_is_beside_it():
    rows = batch(40)
    source, target, hidden = TASK.pairs(rows)
    assert target.shape == (40, 22) and hidden.shape == (40, 21)
    for k, row in enumerate(source.tolist()):
        shown, whole = ([i for i in x if i != 1] for x in (row, target[k].tolist()))
        assert row == shown + [1] * (len(row) - len(shown)) and len(whole) >= 3
        for text in (shown, whole):
            assert text[0] == 2 and text[-1] == 3
        text = whole[1:-1]
        assert target[k].tolist() == whole + [1] * (22 - len(whole))
        assert text == rows["input"][k, : len(text)].tolist()
        gaps = hidden[k].tolist()
        assert sum(gaps) == max(1, round(0.3 * len(text))) and not any(gaps[len(text) :])
        kept = [i for i, gap in zip(text, gaps) if not gap]
        assert [i for i in shown[1:-1] if i != 4] == kept and 4 in shown
        alone = TASK.pairs({"input": rows["input"][k : k + 1]})[0][0].tolist()
        assert alone == shown


def test_some_texts_are_shorter_than_their_window():
    """Of any length, or a model would end none before the longest."""
    target = TASK.pairs(batch(500))[1]
    lengths = (target != IDS["pad_id"]).sum(1) - 2
    short = lengths[lengths < 20]
    assert 0.12 < len(short) / 500 < 0.28
    assert set(short.tolist()) == set(range(1, 20))


def test_sums_are_those_of_all_tokens_and_of_hidden_ones():
    torch.manual_seed(0)
    model = Transformer(CHAR.vocab_size, 1, 22, width=16, depth=1, heads=2, dropout=0.0).eval()
    with torch.no_grad():
        output = TASK.step(model, batch(20))
    source, target, hidden = TASK.pairs(batch(20))
    logits, labels = model(source, target[:, :-1]), target[:, 1:]
    right = (logits.argmax(2) == labels) & (labels != 1)
    losses = F.cross_entropy(logits.mT, labels, reduction="none", ignore_index=1)
    torch.testing.assert_close(output.loss_sum, losses.sum())
    assert int(output.count) == int((labels != 1).sum()) < 20 * 21
    assert int(output.sums["hidden"]) == int(hidden.sum())
    means = {name: value / output.count for name, value in output.sums.items()}
    metrics = TASK.summarize(means | {"loss": output.loss_sum / output.count})
    assert metrics["accuracy"] == pytest.approx(float(right[labels != 1].float().mean()))
    assert metrics["filled_accuracy"] == pytest.approx(float(right[hidden].float().mean()))


def test_the_trivial_answer_knows_how_often_each_token_is_written():
    """The end of each text, too: counted once for all texts, it would cost the most of all."""
    task, rows = Infilling(CHAR, max_length=22, **IDS), batch(60)
    task.learn_baseline(task.baseline_counts(rows))
    labels = task.pairs(rows)[1][:, 1:]
    written = labels[labels != IDS["pad_id"]]
    shares = (written.bincount(minlength=CHAR.vocab_size) + 1.0).double()
    expected = -(shares / shares.sum()).log()[written].mean()
    model = Transformer(CHAR.vocab_size, 1, 22, width=16, depth=1, heads=2, dropout=0.0).eval()
    with torch.no_grad():
        output = task.step(model, rows)
    means = {name: value / output.count for name, value in output.sums.items()}
    found = task.baseline(means | {"loss": output.loss_sum / output.count}).metrics
    assert found["loss"] == pytest.approx(expected.item(), rel=1e-6)


def test_a_run_from_training_to_answers(trained, command, refused, tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 400)
    run = trained(
        "infilling", "model=transformer", "task=infilling", "data=text", "data.denoising=true",
        f"data.path={tmp_path / 'text.txt'}", f"data.root={tmp_path}", "data.block_size=24",
        "data.tokenizer=char", "model.width=32", "model.depth=1", "model.heads=2", "optim.lr=0.01",
        "data.batch_size=16", "trainer.max_steps=80", "trainer.eval_steps=80", "model.dropout=0",
    )  # fmt: skip
    result = json.loads((run / "result.json").read_text())
    assert result["test"]["filled_accuracy"] > 0.6  # the most frequent letter: 0.3
    done = command(predict, f"run={run}", "input=the [MASK] on the mat. the c", "json=true")
    answer = json.loads(done.out.splitlines()[0])["output"]
    assert done.code == 0 and set(answer) <= set("the cat sat on the mat.") and len(answer) > 5
    line = refused(predict, f"run={run}", "input=the cat")
    assert line.startswith("input: no [MASK] in 'the cat'")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"mask_rate": 1.0}, "task.mask_rate=1.0"), ({"span_length": 0.0}, "task.span_length=0.0")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Infilling(CHAR, max_length=22, **IDS, **options)


def test_data_without_the_tokens_says_what_to_set(mistake):
    line = mistake("model=transformer", "task=infilling", "data=pydoc", "data.root=unused")
    assert "data.denoising" in line


def test_a_model_without_a_decoder_is_refused():
    network = GPT(CHAR.vocab_size, 22, width=8, depth=1, heads=2)
    with pytest.raises(UserError, match="reads one text and writes another; take model=transf"):
        TASK.step(network, {"input": torch.full((2, 9), 5)})
