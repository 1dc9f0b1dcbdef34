"""What would fail in the first step or at the end of an epoch fails before anything is written."""

from collections import namedtuple

import pytest
import torch
from support import refused
from torch import nn
from toys import CPU, HERE, Masked, cloud, linear, network, same, weights

from zoo.errors import UserError
from zoo.training import dry_run as module
from zoo.training.dry_run import DryRun
from zoo.training.loader import Loader
from zoo.training.runtime import Runtime, rng_state

NAMES = ("toy", "masked", "cloud")


def dry_run(model=None, batch_size=8, runtime=HERE, accumulate=1, val=32, test=32):
    loader = Loader(cloud(val=val, test=test), batch_size, 0, runtime, accumulate)
    return DryRun(model or network(), Masked(), loader, NAMES)


class Noting(nn.Module):
    """A linear model that notes how it is called, and may fail."""

    def __init__(self, fails=lambda x, training: None):
        super().__init__()
        self.inner, self.seen, self.fails = linear(), [], fails

    def forward(self, x):
        self.seen.append((len(x), self.training, torch.is_grad_enabled(), x.dtype))
        y = self.inner(x)
        if error := self.fails(y, self.training):
            raise error
        return y


@pytest.mark.parametrize(
    ("accumulate", "batch_size", "trained"), [(1, 8, [8]), (3, 8, [3, 2]), (4, 5, [2, 1])]
)
@pytest.mark.parametrize("val", [32, 33])
def test_every_size_that_a_run_will_meet(accumulate, batch_size, trained, val):
    """The largest and the smallest micro-batch, and the rest of a split, as far as that is less."""
    model = Noting()
    tried = dry_run(model, batch_size, accumulate=accumulate, val=val, test=64)
    tried.choose("fp32")
    assert [n for n, training, _, _ in model.seen if training] == trained
    assert all(grad == training for _, training, grad, _ in model.seen)
    size = tried.loader.evaluation_size
    assert size == 4 * trained[0]
    rest = min(n % size or size for n in (val, 64))
    evaluated = [n for n, training, _, _ in model.seen if not training]
    assert evaluated == sorted({trained[0], min(rest, trained[0])}, reverse=True)
    assert tried.loader.smallest_evaluated() == rest


def test_nothing_is_changed():
    model = network(dropout=0.5, norm="batch")
    model.train()
    before, numbers = weights(model), rng_state(CPU)
    tried = dry_run(model, accumulate=3)
    tried.choose("bf16")
    tried.count()
    assert same(before, weights(model)) and model.training
    after = rng_state(CPU)
    assert all(torch.equal(numbers[name], after[name]) for name in numbers)
    assert all(p.grad is None for p in model.parameters())


def test_batch_norm_with_a_single_sample_is_refused_with_a_remedy(train):
    small = ("model=mlp", "model.norm=batch", "data=rain", "data.samples=100")
    small += ("trainer.max_steps=1", "trainer.precision=fp32")
    line = refused(train(*small, "data.batch_size=5", "trainer.accumulate=4"), train.outputs)
    assert "cannot train on the batches of data=rain" in line and "more than 1 value" in line
    assert "data.batch_size=5, cut into 4 micro-batches, leaves one sample" in line
    assert "raise it to 8 or more or lower trainer.accumulate" in line
    line = refused(train(*small, "data.batch_size=1"), train.outputs)
    assert "data.batch_size=1 leaves one sample: raise it to 2 or more" in line
    assert train(*small, "data.batch_size=8", "trainer.accumulate=4").code == 0


@pytest.mark.parametrize("when", ["training", "evaluation", "backward"])
def test_what_fails_in_one_of_the_modes(when):
    def fails(y, training):
        if when == "backward" and training:
            y.register_hook(lambda gradient: gradient[:, :0])
        fail = (when == "training" and training) or (when == "evaluation" and not training)
        return ValueError("no such shape\nat all") if fail else None

    with pytest.raises(UserError) as caught:
        dry_run(Noting(fails)).choose("fp32")
    text = str(caught.value)
    assert text.startswith("model=toy and task=masked ") and "data=cloud (input (8, 4)" in text
    assert ("cannot train on" if when != "evaluation" else "do not take") in text


def out_of_memory(y, training):
    return torch.OutOfMemoryError("Tried to allocate 2.00 GiB") if training else None


def lacks_bf16(y, training):
    return RuntimeError("no kernel for bf16") if y.dtype == torch.bfloat16 else None


@pytest.mark.parametrize("name", ["auto", "bf16"])
def test_where_bf16_does_not_run_auto_takes_fp32(monkeypatch, name):
    def bf16(name, runtime, count):
        return "bf16", "auto: it would gain"

    monkeypatch.setattr(module, "choose_precision", bf16)
    if name == "auto":
        chosen, reason = dry_run(Noting(lacks_bf16)).choose(name)
        assert chosen == "fp32" and "bf16 does not run here" in reason and "no kernel" in reason
    else:
        with pytest.raises(UserError, match="no kernel for bf16"):
            dry_run(Noting(lacks_bf16)).choose(name)
    with pytest.raises(UserError, match=r"of 8 samples does not fit .* raise trainer.accumulate=1"):
        dry_run(Noting(out_of_memory)).choose(name)  # fp32 would need more


def test_what_one_rank_refuses_all_refuse():
    """The others would make a folder and wait for it."""

    class Second(Runtime):
        def gather(self, value):
            return [UserError("rank 0 has one sample"), value]

    with pytest.raises(UserError, match="rank 0 has one sample"):
        dry_run(runtime=Second(CPU, 1, 2)).choose("fp32")


class Classes(Masked):
    """Takes logits."""

    def step(self, model, batch):
        model(batch["input"]).float()
        return super().step(model, batch)


class Asking(Noting):
    """Needs more than a batch's input."""

    def forward(self, x, time):
        return super().forward(x)


Pair = namedtuple("PairOutput", "mean pixels")


class Answering(Noting):
    """Gives more than a tensor."""

    def forward(self, x):
        return Pair(super().forward(x), x)


@pytest.mark.parametrize("model", [Asking, Answering])
def test_a_model_of_another_task_is_one_line(model):
    tried = dry_run(model())
    tried.task, tried.names = Classes(), ("toy", "classes", "cloud")
    with pytest.raises(UserError, match="model=toy and task=classes do not fit each other .*list"):
        tried.choose("fp32")


def test_a_mistake_in_the_code_of_a_model_keeps_its_place():
    with pytest.raises(TypeError, match="unsupported operand"):
        dry_run(Noting(lambda y, training: 1 + None)).choose("fp32")
