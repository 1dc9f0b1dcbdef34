"""Prompts and responses: what is scored, what is left out, what is said of wrong files."""

import json

import pytest
import torch
from contexts import context

from zoo.data.dataset import Dataset
from zoo.data.datasets.pydoc_answers import answers
from zoo.data.datasets.sft import sft
from zoo.data.encoding import load_encoding
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.tasks.causal_lm import CausalLM
from zoo.training.loader import Loader
from zoo.training.runtime import Runtime

BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)
PAIRS = [(f"say {'ab'[k % 2] * (k % 5 + 1)}", f"said {k}") for k in range(40)]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "answers.jsonl"
    lines = [json.dumps({"prompt": a, "response": b}) for a, b in PAIRS]
    path.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    return path


def build(path, block_size=64, encoding=None, **options) -> Dataset:
    return sft(context(tokenizer=BYTES, encoding=encoding), block_size, path=str(path), **options)


def rows(dataset, split="train"):
    """Every row of a split as (all text, scored text)."""
    tokenizer = dataset.encoding.tokenizer
    found = []
    source = dataset.splits[split]
    for k in range(len(source)):
        batch = dataset.encoding.prepare(source.fetch(torch.tensor([k])))
        input, scored = batch["input"][0], batch["scored"][0]
        found.append((tokenizer.decode(input), tokenizer.decode(input[1:][scored])))
        assert scored.sum() == len(tokenizer.encode(found[-1][1])) + 1  # its end is learnt too
    return found


def test_responses_and_their_ends_alone_are_scored(file):
    dataset = build(file, template="Q: {prompt}\nA: ")
    known = dict(PAIRS)
    texts = rows(dataset) + rows(dataset, "val") + rows(dataset, "test")
    assert len(texts) == 40
    for whole, scored in texts:
        prompt = whole.removeprefix("Q: ").split("\nA: ")[0]
        assert whole == f"Q: {prompt}\nA: {scored}"
        assert scored in {b for a, b in PAIRS if a == prompt} and prompt in known


def test_the_loss_is_that_of_the_responses(file):
    """Against a loop over rows, one by one, without padding."""
    torch.manual_seed(0)
    dataset = build(file)
    model = GPT(dataset.facts["vocab_size"], 64, width=16, depth=1, heads=2).eval()
    task = CausalLM(dataset.facts["token_bytes"], dataset.encoding.tokenizer)
    loader = Loader(dataset, 8, 0, Runtime(torch.device("cpu")), 1, 0, False)
    total = count = letters = 0.0
    with torch.no_grad():
        for batch in loader.evaluation("train"):
            output = task.step(model, batch)
            total += float(output.loss_sum)
            count += float(output.count)
            letters += float(output.sums["bytes"])
        expected, tokens, size = 0.0, 0, 0
        source = dataset.splits["train"]
        for k in range(len(source)):
            ids = source.rows.rows(torch.tensor([k]))[0].long()
            said = model(ids[None, :-1])[0].log_softmax(-1)
            for place in range(int(source.prompt_lengths[k]) - 1, len(ids) - 1):
                expected -= float(said[place, ids[place + 1]])
                tokens += 1
                size += ids[place + 1] != 0
    assert count == tokens and letters == size
    assert total == pytest.approx(expected, rel=1e-5)


def test_long_rows_are_left_out_and_counted(file):
    dataset = build(file, block_size=16)
    assert sum(len(s) for s in dataset.splits.values()) < 40
    assert "longer than data.block_size=16 tokens left out" in dataset.notes[0]
    with pytest.raises(UserError, match="every row of the train split is longer"):
        build(file, block_size=4)


def test_a_run_keeps_its_encoding(file):
    dataset = build(file, template="<{prompt}>")
    again = build(file, encoding=dataset.encoding.to_json(), template="other {prompt}")
    assert load_encoding(dataset.encoding.to_json()) is not None
    assert again.encoding.template == "<{prompt}>" and len(again.splits["all"]) == 40
    assert again.sha256 == dataset.sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("{", "1: not JSON"),
        ("[1]", "1: expected an object, got a list"),
        ('{"promt": "a", "response": "b"}', "data.prompt: .*:1: .*did you mean 'promt'"),
        ('{"prompt": "a", "response": 3}', "'response' is a int, expected a text"),
        ('{"prompt": "a", "response": " "}', "'response' is empty"),
    ],
)
def test_wrong_files(tmp_path, content, said):
    path = tmp_path / "wrong.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        build(path)


def test_a_template_without_a_place(file):
    with pytest.raises(UserError, match="expected '{prompt}' somewhere in it"):
        build(file, template="Answer:")
    with pytest.raises(UserError, match="data.path is missing"):
        sft(context(tokenizer=BYTES), 8)


def test_answers_of_the_standard_library():
    found = dict(answers())
    assert len(found) > 4000
    assert found["json.loads(s, *, cls=None, object_hook=None, parse_float=None, parse_int=None, parse_constant=None, object_pairs_hook=None, **kw)"].startswith("Deserialize")  # fmt: skip # noqa: E501
    assert all(len(said.split()) >= 4 for said in found.values())


def test_a_model_learns_to_answer(train, tmp_path, capsys):
    """From a file to an answer on the command line: one word for each of two prompts."""
    from zoo.commands.predict import main

    path = tmp_path / "two.jsonl"
    pairs = [{"prompt": "day", "response": "light"}, {"prompt": "night", "response": "dark"}] * 20
    path.write_text("\n".join(map(json.dumps, pairs)))
    done = train(
        "model=gpt", "data=sft", "task=causal_lm", f"data.path={path}", "data.tokenizer=byte",
        "model.width=32", "model.depth=1", "model.heads=2", "optim.lr=0.01",
        "trainer.max_steps=60", "trainer.eval_steps=30", "trainer.precision=fp32",
    )  # fmt: skip
    assert done.code == 0, done.err
    capsys.readouterr()
    for prompt, response in (("day", "light"), ("night", "dark")):
        assert main([f"run={done.path}", f"input={prompt}", "temperature=0"]) == 0
        assert capsys.readouterr().out == response + "\n"
