"""Optimizers: they minimise, decay what should decay, and follow their equations."""

import sys

import pytest
import torch
from torch import nn
from toys import mixed, optimizer_step

from zoo.errors import UserError
from zoo.optim.rates import build_optimizer
from zoo.registry import OPTIMIZERS, SCHEDULES

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


@every_optimizer
def test_reduces_a_quadratic(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 1))
    truth = torch.randn(6, 6)
    optimizer = OPTIMIZERS.build({"name": name, "weight_decay": 0.0}, model=model)
    losses = []
    for _ in range(120):
        loss = (model[0].weight - truth).square().sum() + (model[0].bias - 1).square().sum()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
        model.zero_grad(set_to_none=True)
    assert losses[-1] < 0.9 * losses[0] and min(losses[-10:]) < min(losses[:10])


@every_optimizer
def test_decay_is_kept_off_biases_and_norms(name):
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": name, "weight_decay": 0.25}, model=model)
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert len(decay) == len(list(model.parameters()))  # each once, none forgotten
    for label, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0.25 if parameter.ndim >= 2 else 0.0), label


@every_optimizer
def test_a_weight_without_gradient_decays_and_a_bias_does_not(name):
    model = nn.Sequential(nn.Linear(3, 3))
    optimizer = OPTIMIZERS.build({"name": name, "lr": 1e-3, "weight_decay": 0.1}, model=model)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.equal(model[0].bias, before["0.bias"])
    moved = before["0.weight"] - model[0].weight
    assert bool((moved.sign() == before["0.weight"].sign()).all())  # towards zero


@every_optimizer
def test_frozen_parameters_stay(name):
    model = mixed()
    model.hidden.requires_grad_(False)
    before = model.hidden.weight.clone()
    optimizer = OPTIMIZERS.build({"name": name}, model=model)
    optimizer_step(model, optimizer)
    assert torch.equal(model.hidden.weight, before)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(UserError, match="no parameter to train"):
        OPTIMIZERS.build({"name": name}, model=model)


def test_adamw_equals_the_equations_in_float64():
    lr, decay, b1, b2, eps = 0.05, 0.2, 0.8, 0.95, 1e-8
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    config = {"name": "adamw", "lr": lr, "weight_decay": decay, "betas": [b1, b2], "eps": eps}
    optimizer = OPTIMIZERS.build(config, model=model)
    mine = {n: p.detach().clone() for n, p in model.named_parameters()}
    m = {n: torch.zeros_like(p) for n, p in mine.items()}
    v = {n: torch.zeros_like(p) for n, p in mine.items()}
    for t in range(1, 8):
        x = torch.randn(5, 4, dtype=torch.float64)
        model(x).square().sum().backward()
        for name, parameter in model.named_parameters():
            g = parameter.grad
            mine[name] *= 1 - lr * (decay if g.ndim == 2 else 0)
            m[name] = b1 * m[name] + (1 - b1) * g
            v[name] = b2 * v[name] + (1 - b2) * g**2
            unbiased = v[name] / (1 - b2**t)
            mine[name] -= lr * (m[name] / (1 - b1**t)) / (unbiased.sqrt() + eps)
        optimizer.step()
        model.zero_grad(set_to_none=True)
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, mine[name], rtol=1e-12, atol=1e-12), name


def test_sgd_equals_the_equations_in_float64():
    lr, decay, mu = 0.1, 0.3, 0.9
    torch.manual_seed(0)
    model = nn.Linear(4, 3, bias=False).double()
    config = {"name": "sgd", "lr": lr, "weight_decay": decay, "momentum": mu, "nesterov": True}
    optimizer = OPTIMIZERS.build(config, model=model)
    mine, velocity = model.weight.detach().clone(), None
    for _ in range(5):
        model(torch.randn(5, 4, dtype=torch.float64)).square().sum().backward()
        g = model.weight.grad + decay * mine
        velocity = g if velocity is None else mu * velocity + g
        mine = mine - lr * (g + mu * velocity)
        optimizer.step()
        model.zero_grad(set_to_none=True)
    assert torch.allclose(model.weight, mine, rtol=1e-12)


FILE = """
import torch
from torch import nn

from zoo.optim.groups import groups_of
from zoo.optim.schedules import Schedule
from zoo.registry import OPTIMIZERS, SCHEDULES


@OPTIMIZERS.register("new_nadam")
def nadam(model: nn.Module, lr: float = 0.01, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    return torch.optim.NAdam(groups_of(model, weight_decay), lr)


@SCHEDULES.register("new_half")
class Half(Schedule):
    def shape(self, progress: float) -> float:
        return 0.5
"""


def test_one_file_in_the_package_adds_an_optimizer_and_a_schedule(tmp_path, monkeypatch):
    import zoo.optim

    (tmp_path / "new_file.py").write_text(FILE)
    monkeypatch.setattr(zoo.optim, "__path__", [*zoo.optim.__path__, str(tmp_path)])
    for registry in (OPTIMIZERS, SCHEDULES):
        registry.names()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
        monkeypatch.setattr(registry, "_loaded", False)
    monkeypatch.delitem(sys.modules, "zoo.optim.new_file", raising=False)
    assert "new_nadam" in OPTIMIZERS.names() and "new_half" in SCHEDULES.names()
    model = mixed()
    optimizer = build_optimizer({"name": "new_nadam", "rates": {"head": 0.1}}, model)
    optimizer_step(model, optimizer)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == [0.001, 0.01]
    assert SCHEDULES.build({"name": "new_half"}).factor(0.3) == 0.5
