"""Histograms and the graph: what TensorBoard shows of them, and that a run does not change."""

import dataclasses

import pytest
import torch
from board import Board
from test_every_model import make
from torch import nn
from toys import HERE, Masked, cloud, linear, network, same, trainer_of, weights

from zoo.registry import MODELS
from zoo.runs.directory import RunDirectory
from zoo.training.config import TrainerConfig
from zoo.training.inside import Call, arguments, watch
from zoo.training.logger import Logger
from zoo.training.requests import Request

STEPS = ("model=cnn", "data=digits", "model.dropout=0.2", "data.batch_size=16")
STEPS += ("trainer.max_steps=5", "trainer.eval_steps=2", "trainer.clip=0.01")
NAMES = ("weight", "bias")
PLAIN = {"name": "sgd", "lr": 0.05, "weight_decay": 0.0, "momentum": 0.0, "nesterov": False}
BOTH = {"histograms": True, "graph": True}


def test_a_run_with_both_trains_as_one_without(train):
    plain = train(*STEPS)
    shown = train(*STEPS, *(f"trainer.{name}=true" for name in BOTH))
    assert plain.code == shown.code == 0 and "was not drawn" not in shown.out + shown.err
    rows = [(run.path / "metrics.jsonl").read_bytes() for run in (plain, shown)]
    assert rows[0] == rows[1]
    board = Board(train.outputs)
    off, on = sorted(board.runs, key=lambda name: name.endswith(shown.path.name))
    assert board.histograms(off) == {} and board.graph(off) is None
    assert "CNN[model]" in board.graph(on)
    found = board.histograms(on)
    assert {"weights/head.weight", "gradients/head.weight"} <= found.keys()
    assert all([step for step, _ in points] == [2, 4, 5] for points in found.values())
    bins = found["gradients/head.weight"][0][1]
    assert max(abs(end) for least, most, _ in bins for end in (least, most)) <= 0.01  # clipped


def test_gradients_are_the_optimizers_and_weights_those_after_its_step(tmp_path):
    options = {"max_steps": 1, "histograms": True, "optim": PLAIN}
    trainer = trainer_of(tmp_path, cloud(), linear(), Masked(), **options)
    watch(trainer)
    start, given = trainer.model.weight.detach().clone(), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Logger, "histogram", lambda self, tag, step, t: given.update({tag: t.detach().clone()})
        )
        trainer.fit()
    assert list(given) == [f"{kind}/{p}" for kind in ("gradients", "weights") for p in NAMES]
    moved = start - 0.05 * given["gradients/weight"]
    torch.testing.assert_close(given["weights/weight"], moved)


@pytest.mark.parametrize(
    ("request_", "shown"), [(Request.NONE, False), (Request.OUT_OF_TIME, True)]
)
def test_the_validation_at_the_end_of_the_time_has_histograms_too(tmp_path, request_, shown):
    trainer = trainer_of(tmp_path, cloud(), linear(), Masked(), histograms=True)
    watch(trainer)
    trainer.restore()
    trainer.request, tags = request_, []
    trainer.logger.histogram = lambda tag, *rest: tags.append(tag)
    with trainer.watched():
        pass
    assert bool(tags) == shown


def test_other_ranks_write_nothing(tmp_path):
    second = dataclasses.replace(HERE, rank=1)
    trainer = trainer_of(tmp_path, cloud(), linear(), Masked(), runtime=second, **BOTH)
    before = trainer.watched
    watch(trainer)
    assert trainer.watched is before


def test_both_are_off_by_default():
    assert not (TrainerConfig().histograms or TrainerConfig().graph)


@pytest.mark.parametrize("name", MODELS.names())
def test_every_model_has_a_graph(name, tmp_path):
    case, run = make(name), RunDirectory.create(tmp_path, name)
    call = Call(case.model.eval(), *arguments(case.model, case.task, case.example.batch))
    logger = Logger(run)
    with torch.no_grad():
        logger.graph(call, call.inputs)
    logger.close()
    graph = Board(run.path).graph(".")
    assert f"{type(case.model).__name__}[model]" in graph
    parts = {path.split(".")[0] for path, _ in case.model.named_parameters()}
    assert all(f"[{part}]" in graph or f"/{part}/" in graph for part in parts), parts


class Refusing(nn.Module):
    """Trains, but cannot be traced."""

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, x):
        if torch.jit.is_tracing():
            raise RuntimeError("no tracing\nhere")
        return self.inner(x)


class ByMethod(Masked):
    """A task that calls a part of the model."""

    def step(self, model, batch):
        return super().step(model.inner, batch)


@pytest.mark.parametrize(
    ("task", "reason"),
    [(Masked, "RuntimeError: no tracing here"), (ByMethod, "TypeError: the task does not call")],
)
def test_a_model_that_has_no_graph_is_one_warning(tmp_path, capsys, task, reason):
    trainers = {}
    for asked in (False, True):
        model = Refusing()
        trainer = trainers[asked] = trainer_of(tmp_path, cloud(), model, task(), graph=asked)
        warned = []
        trainer.console.warn = warned.append
        watch(trainer)
        trainer.fit()
        texts = [text for text in warned if "graph" in text]
        assert len(texts) == asked and all(reason in text for text in texts)
    assert "trainer.graph=true: the graph was not drawn" in texts[0]
    assert "Error occurs" not in capsys.readouterr().out
    assert same(weights(trainers[False].model), weights(trainers[True].model))
    assert model.training and not model._forward_pre_hooks


def test_dropout_is_back_after_the_graph(tmp_path):
    model = network(dropout=0.5, norm="batch")
    trainer = trainer_of(tmp_path, cloud(), model, Masked(), graph=True)
    watch(trainer)
    trainer.fit()
    assert all(module.training for module in model.modules())
