"""What holds for every registered model; a new one is tested by being registered.

A model's `register(..., task=, tiny=)` says how: `tiny` are arguments for a network of a few
parameters, facts included, and `task` is what it is trained for.
"""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn

from zoo.config.groups import CONFIG_DIR, read_yaml
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.registry import MODELS, TASKS
from zoo.schema import bind
from zoo.training.checkpoint import load_model, model_tensors

SAMPLES = 12
every_model = pytest.mark.parametrize("name", MODELS.names())


class Case(NamedTuple):
    """What a task needs to try a model.

    Attributes:
        facts: The task's.
        batch: SAMPLES samples, as the data gives them.
        outputs: Shape of what the model says of one sample.
        inputs: What the model takes of a batch, in order.
    """

    facts: dict
    batch: dict
    outputs: tuple
    inputs: Callable = lambda batch: (batch["input"],)


def classification(tiny):
    """Random inputs, each class among the targets."""
    kinds = tiny.get("num_classes") or tiny["num_outputs"]
    facts = dict(num_classes=kinds, class_names=[str(k) for k in range(kinds)])
    facts["class_counts"] = [SAMPLES] * kinds
    target = torch.arange(SAMPLES) % kinds
    batch = {"input": torch.randn(SAMPLES, *tiny["input_shape"]), "target": target}
    return Case(facts, batch, (kinds,))


def regression(tiny):
    """Random inputs and values."""
    outputs = tiny["num_outputs"]
    facts = dict(target_mean=3.0, target_std=2.0, num_outputs=outputs)
    batch = {"input": torch.randn(SAMPLES, *tiny["input_shape"])}
    return Case(facts, batch | {"target": torch.randn(SAMPLES, outputs)}, (outputs,))


def letters(tiny):
    """Facts of `vocab_size` letters, one byte each."""
    tokenizer = train_tokenizer("char", ["abcdefghijklmnopqrstuvwxyz"[: tiny["vocab_size"]]])
    return dict(tokenizer=tokenizer, token_bytes=tokenizer.token_bytes(), eot_id=None)


def causal_lm(tiny):
    """Random tokens; those that the model sees decide the next one, so that it can be learnt."""
    size, length = tiny["vocab_size"], tiny.get("block_size", 8)
    tokens = torch.randint(size, (SAMPLES, length + 1))
    tokens[:, 0] = torch.arange(SAMPLES) % size  # no two alike from the start
    tokens[:, 1:] = tokens[:, :1]
    return Case(
        letters(tiny),
        {"input": tokens},
        (length, size),
        lambda batch: (batch["input"][:, :-1],),
    )


def masked_lm(tiny):
    """Random tokens, alike within a text, so that those in sight tell what is hidden."""
    size, length = tiny["vocab_size"], tiny["block_size"]
    text = "abcdefghijklmnopqrstuvwxyz"[: size - 1]
    tokenizer = train_tokenizer("char", [text], specials=["[MASK]"])
    tokens = (1 + torch.arange(SAMPLES) % (size - 1))[:, None].repeat(1, length + 1)
    return Case(
        dict(tokenizer=tokenizer, vocab_size=size, mask_id=0),
        {"input": tokens},
        (length, size),
        lambda batch: (batch["input"][:, :-1],),
    )


def seq2seq(tiny):
    """Random sources, each its own target, of unequal lengths; the longest are full."""
    size, length = tiny["vocab_size"], tiny.get("max_length", 8)
    tokenizer = train_tokenizer(
        "char", ["abcdefghijklmnopqrstuvwxyz"[: size - 3]], specials=["<pad>", "<s>", "</s>"]
    )
    lengths = torch.arange(SAMPLES) % (length - 3) + 3
    lengths[-1] = length
    rows = torch.randint(3, size, (SAMPLES, length))
    rows[:, 1] = torch.arange(SAMPLES) % (size - 3) + 3  # no two alike from the start
    rows[:, 0] = 1
    place = torch.arange(length)
    rows[place == lengths[:, None] - 1] = 2
    rows[place >= lengths[:, None]] = 0
    return Case(
        dict(tokenizer=tokenizer, pad_id=0, bos_id=1, eos_id=2, max_length=length),
        {"source": rows, "target": rows.clone()},
        (length - 1, size),
        lambda batch: (batch["source"], batch["target"][:, :-1]),
    )


def skip_gram(tiny):
    """Texts of two words, each the other's only neighbour, in a large vocabulary, so that noise
    is hardly ever a neighbour and the loss can come near zero."""
    size = tiny["vocab_size"]
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [first + second for first in letters for second in letters][: size - 1]
    facts = dict(tokenizer=train_tokenizer("word", [" ".join(words)]), eot_id=None)
    facts |= dict(token_counts=[0] + [1] * (size - 1), window=1, negatives=1, sample=0.0)
    tokens = torch.arange(1, 2 * SAMPLES + 1).view(SAMPLES, 2)
    batch = {"input": torch.cat([tokens, tokens[:, :1]], 1)}
    return Case(facts, batch, (2, tiny["width"]), lambda batch: (batch["input"][:, :-1],))


BATCHES = {
    "classification": classification,
    "regression": regression,
    "causal_lm": causal_lm,
    "masked_lm": masked_lm,
    "seq2seq": seq2seq,
    "skip_gram": skip_gram,
}


def make(name, seed=0):
    """A tiny model, its task, a batch, and the case that they come of."""
    entry = MODELS[name]
    assert set(entry.tests) >= {"task", "tiny"}, f"register('{name}') needs task= and tiny="
    torch.manual_seed(seed)
    case = BATCHES[entry.tests["task"]](entry.tests["tiny"])
    model = MODELS.build({"name": name, **entry.tests["tiny"]})
    return model, TASKS.build({"name": entry.tests["task"]}, **case.facts), case.batch, case


@every_model
def test_is_tiny_and_gives_one_row_a_sample(name):
    model, _, batch, case = make(name)
    assert 0 < sum(p.numel() for p in model.parameters()) < 10_000
    assert model.eval()(*case.inputs(batch)).shape == (SAMPLES, *case.outputs)


@every_model
def test_the_loss_is_finite_and_reaches_every_parameter(name):
    model, task, batch, _ = make(name)
    with torch.no_grad():  # a head may start at nearly zero, which would hide what lies below
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    output = task.step(model.train(), batch)
    assert torch.isfinite(output.loss_sum) and output.count > 0
    output.loss_sum.backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead


@every_model
def test_learns_a_batch_by_heart(name):
    model, task, batch, _ = make(name)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    losses = []
    for _ in range(300):
        output = task.step(model, batch)
        loss = output.loss_sum / output.count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 < 0.1  # some tasks draw what they ask


@every_model
def test_samples_do_not_see_each_other_in_evaluation(name):
    model, _, batch, case = make(name)
    model.eval()
    whole = model(*case.inputs(batch))
    single = ({n: c[k : k + 1] for n, c in batch.items()} for k in range(SAMPLES))
    alone = torch.cat([model(*case.inputs(one)) for one in single])
    torch.testing.assert_close(whole, alone)


@every_model
def test_runs_in_double_precision_and_agrees(name):
    model, _, batch, case = make(name)
    inputs = case.inputs(batch)
    single = model.eval()(*inputs)
    doubled = [x.double() if x.is_floating_point() else x for x in inputs]
    double = copy.deepcopy(model).double()(*doubled)
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


@every_model
def test_a_seed_decides_the_weights(name):
    weights = [make(name, seed)[0].state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@every_model
def test_weights_come_back_from_a_checkpoint(name):
    model, _, batch, case = make(name)
    inputs = case.inputs(batch)
    other = make(name, seed=1)[0]
    load_model(other, {n: t.clone() for n, t in model_tensors(model.state_dict()).items()}, Path())
    assert torch.equal(model.eval()(*inputs), other.eval()(*inputs))


@every_model
def test_its_yaml_builds_it_with_facts(name):
    tiny = MODELS[name].tests["tiny"]
    files = [read_yaml(path) for path in (CONFIG_DIR / "model").glob("*.yaml")]
    fitting = [content for content in files if content["name"] == name]
    assert fitting, f"no configs/model/*.yaml says name: {name}"
    for content in fitting:
        options = {key: value for key, value in content.items() if key != "name"}
        facts = {key: value for key, value in tiny.items() if key not in options}
        arguments = bind(MODELS[name].builder, options, facts, "model", name)
        MODELS[name].builder(**arguments)


@every_model
def test_says_which_paper_and_how_it_differs(name):
    text = inspect.getdoc(inspect.getmodule(MODELS[name].builder)) or ""
    assert "http" in text or "arXiv" in text, "the module's docstring names no source"
    assert "Differs" in text, "the docstring does not say how the model differs from its source"
    assert "Shapes:" in text, "the docstring does not name the letters of the shapes"
