"""Prompts and responses: what is scored, what is left out, what is said of wrong files."""

import pytest
import torch
from contexts import context
from sample_prompts import PAIRS, build, write_prompts

from zoo.data.text.prompts import prompt_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.tasks.causal_lm import CausalLM
from zoo.training.loader import Loader
from zoo.training.runtime import Runtime


@pytest.fixture
def file(tmp_path):
    return write_prompts(tmp_path)


def rows(dataset, split="train"):
    """Every row of a split as (all text, scored text)."""
    tokenizer = dataset.encoding.tokenizer
    found = []
    source = dataset.splits[split]
    for k in range(len(source)):
        batch = dataset.encoding.prepare(source.fetch(torch.tensor([k])))
        input, scored = batch["input"][0], batch["scored"][0]
        found.append((tokenizer.decode(input), tokenizer.decode(input[1:][scored])))
        assert scored.sum() == len(tokenizer.encode(found[-1][1])) + 1  # its end is a target too
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
            for place in range(
                int(source.scored[source.rows.starts[0, k] :].int().argmax()) - 1, len(ids) - 1
            ):
                expected -= float(said[place, ids[place + 1]])
                tokens += 1
                size += ids[place + 1] != 0
    assert count == tokens and letters == size
    assert total == pytest.approx(expected, rel=1e-5)


def test_long_rows_are_left_out_and_counted(file):
    dataset = build(file, block_size=16)
    kept = sum(len(s) for s in dataset.splits.values())
    assert kept < 40 and f"sft: {kept} prompts" in dataset.notes[0]
    assert f"{40 - kept} longer than data.block_size=16 tokens left out" in dataset.notes[0]
    evaluated = build(file, encoding=dataset.encoding.to_json())
    assert evaluated.notes[0] == dataset.notes[0], "a row of two splits counts once"
    with pytest.raises(UserError, match="every row of the train split is longer"):
        build(file, block_size=4)


def test_characters_are_those_of_all_splits_and_of_the_template():
    pairs = [(f"{chr(0x4E00 + k)}?", f"{chr(0x5E00 + k)}!") for k in range(30)]
    config = TokenizerConfig("char", None)
    data = prompt_dataset("x", pairs, context(tokenizer=config), 20, "Frage: {prompt}\nAntwort:")
    assert sum(map(len, data.splits.values())) == 30
    prompt, _ = data.encoding.encode("\u4e00?", "\u5e01!")
    assert data.encoding.tokenizer.decode(prompt) == "Frage: \u4e00?\nAntwort:\u5e01!"


def test_words_cannot_write_an_answer():
    shared = context(tokenizer=TokenizerConfig("word"))
    with pytest.raises(UserError, match="data=sft takes data.tokenizer=bpe, char or byte"):
        prompt_dataset("x", [("a", "b")] * 30, shared, 20, "{prompt}")
