"""The moving average against a loop."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from toys import Masked, Tied, cloud, network, same, trainer_of, weights

from zoo.training.ema import EMA


def moved(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator))
        model.train()(torch.randn(6, 4, generator=generator))  # moves the running statistics


def test_equals_a_loop():
    model = network(norm="batch")
    ema, decay = EMA(model, 0.95), 0.95
    mine = {n: t.double().clone() for n, t in model.state_dict().items()}
    for step in range(1, 30):
        moved(model, step)
        ema.update(step)
        d = min(decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            mine[name] = d * mine[name] + (1 - d) * tensor.double()
            if not tensor.is_floating_point():
                mine[name] = tensor.double()
    for name, tensor in ema.average.items():
        assert torch.allclose(tensor.double(), mine[name], rtol=1e-5, atol=1e-6), name
    counts = [t for t in ema.average.values() if not t.is_floating_point()]
    assert counts and all(int(t) == 29 for t in counts)


def test_averaged_weights_keep_their_spectral_norm():
    torch.manual_seed(0)
    model = spectral_norm(nn.Linear(4, 4))
    ema, generator = EMA(model, 0.9), torch.Generator().manual_seed(0)
    for step in range(1, 60):
        with torch.no_grad():  # the direction in which the weights stretch most turns
            turned = torch.diag(torch.tensor([2.0, 1, 1, 1]).roll(step // 15))
            noise = 0.01 * torch.randn(4, 4, generator=generator)
            model.parametrizations.weight.original.copy_(turned + noise)
        for _ in range(5):
            model.train()(torch.ones(1, 4))
        ema.update(step)
    with ema.swapped(), torch.no_grad():
        assert float(torch.linalg.matrix_norm(model.eval().weight, 2)) == pytest.approx(1, abs=0.05)


def test_swapping_and_back():
    model = network(norm="batch")
    ema = EMA(model, 0.9)
    moved(model, 0)
    live = weights(model)
    with ema.swapped():
        assert same(weights(model), dict(ema.average))
        assert not same(weights(model), live)
    assert same(weights(model), live)
    try:
        with ema.swapped():
            raise KeyError
    except KeyError:
        assert same(weights(model), live)


def test_the_average_shares_nothing_with_the_model():
    model = nn.Linear(2, 2)
    ema = EMA(model, 0.9)
    before = {n: t.clone() for n, t in ema.average.items()}
    moved_weight = model.weight.detach().add_(1)
    assert moved_weight is not None and same(ema.average, before)


def test_tied_weights_are_averaged_once():
    model = Tied()
    ema, plain = EMA(model, 0.5), EMA(copy.deepcopy(model), 0.5)
    for step in range(1, 4):
        with torch.no_grad():
            model.inner.weight.add_(1)
        ema.update(step)
    expected = plain.average["inner.weight"].clone()
    live = expected.clone()
    for step in range(1, 4):
        live = live + 1
        d = min(0.5, (1 + step) / (10 + step))
        expected = d * expected + (1 - d) * live
    assert torch.allclose(ema.average["inner.weight"], expected)
    with ema.swapped():
        assert torch.equal(model.outer.weight, ema.average["inner.weight"])


def test_evaluation_and_the_best_weights_are_the_averaged_ones(tmp_path):
    trainer = trainer_of(
        tmp_path, cloud(), network(), Masked(), ema=0.9, eval_steps=3, max_steps=6, save_steps=3
    )
    trainer.fit()
    average = {n: t.clone() for n, t in trainer.ema.average.items()}
    best = trainer.checkpoints.load("best", print)
    if best.step == 6:
        assert same(best.tensors["model"], average)
    last = trainer.checkpoints.load("last", print)
    assert same(last.tensors["ema"], average) and not same(last.tensors["model"], average)
    with trainer.ema.swapped():
        total, figures = trainer.evaluate("val")
    rows = [r for r in trainer.run.metrics("val") if r["step"] == 6]
    assert rows[0]["loss"] == figures["loss"]
