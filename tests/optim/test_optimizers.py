"""Optimizers: they minimise, decay what should decay, and come back from a checkpoint."""

import pytest
import torch
from torch import nn
from toys import same

from zoo.errors import UserError
from zoo.optim.muon import StackedMuon, orthogonalise
from zoo.optim.optimizers import (
    LearningRate,
    Together,
    load_optimizer,
    optimizer_tensors,
    parts,
    split_for_muon,
)
from zoo.registry import OPTIMIZERS, SCHEDULES

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


class Mixed(nn.Module):
    """Every kind of parameter: embedding, matrix, convolution, norm, biases, head."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.hidden = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.conv = nn.Conv1d(4, 4, 1)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        x = self.norm(torch.tanh(self.hidden(self.embedding(tokens))))
        return self.head(self.conv(x.transpose(1, 2)).transpose(1, 2))


def mixed():
    torch.manual_seed(0)
    return Mixed()


def step(model, optimizer, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, (8, 6), generator=generator)
    model(tokens).square().mean().backward()
    optimizer.step()
    for parameter in model.parameters():
        parameter.grad = None


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
    step(model, optimizer)
    assert torch.equal(model.hidden.weight, before)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(UserError, match="no parameter to train"):
        OPTIMIZERS.build({"name": name}, model=model)


@every_optimizer
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_state_round_trip_goes_on_bit_for_bit(name, layout):
    def build():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(16, 3))
        model = model.to(memory_format=layout)
        return model, OPTIMIZERS.build({"name": name}, model=model)

    def steps(model, optimizer, seeds):
        for seed in seeds:
            x = torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(seed))
            model(x).square().mean().backward()
            optimizer.step()
            model.zero_grad(set_to_none=True)

    whole, optimizer = build()
    steps(whole, optimizer, range(6))

    first, optimizer = build()
    steps(first, optimizer, range(3))
    names = {id(p): n for n, p in first.named_parameters()}
    saved = {n: t.clone().contiguous() for n, t in optimizer_tensors(optimizer, names).items()}
    assert saved and all(name.count("|") == 1 for name in saved)

    second, optimizer = build()
    second.load_state_dict(first.state_dict())
    names = {id(p): n for n, p in second.named_parameters()}
    load_optimizer(optimizer, names, saved)
    assert same(optimizer_tensors(optimizer, names), saved)
    steps(second, optimizer, range(3, 6))
    assert same(second.state_dict(), whole.state_dict())


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


def test_sgd_without_momentum():
    model = nn.Linear(2, 1)
    optimizer = OPTIMIZERS.build({"name": "sgd", "momentum": 0.0}, model=model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    names = {id(p): n for n, p in model.named_parameters()}
    load_optimizer(optimizer, names, optimizer_tensors(optimizer, names))


# ------------------------------------------------------------------------------------- muon


def test_muon_takes_the_matrices_of_hidden_layers_alone():
    model = mixed()
    matrices, rest = split_for_muon(model)
    names = {id(p): n for n, p in model.named_parameters()}
    assert [names[id(p)] for p in matrices] == ["hidden.weight"]
    assert len(rest) == len(names) - 1
    optimizer = OPTIMIZERS.build({"name": "muon", "lr": 0.02, "adam_lr": 0.003}, model=model)
    muon, adamw = parts(optimizer)
    assert isinstance(muon, torch.optim.Muon) and isinstance(adamw, torch.optim.AdamW)
    assert [g["lr"] for g in optimizer.param_groups] == [0.02, 0.003, 0.003]


def test_muon_without_a_hidden_matrix_is_adamw():
    class Single(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

    optimizer = OPTIMIZERS.build({"name": "muon"}, model=Single())
    assert isinstance(optimizer, torch.optim.AdamW)


def test_optimizers_together_step_as_one():
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": "muon"}, model=model)
    assert isinstance(optimizer, Together)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    step(model, optimizer)
    assert all(not torch.equal(before[n], p) for n, p in model.named_parameters())
    model(torch.zeros(1, 2, dtype=torch.int64)).sum().backward()
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_muon_steps_as_torchs_own_matrix_by_matrix():
    torch.manual_seed(0)
    shapes = [(8, 24), (24, 8), (8, 24), (8, 8), (5, 7), (7, 5)]
    start = [torch.randn(shape) for shape in shapes]
    found = []
    for make in (torch.optim.Muon, StackedMuon):
        params = [nn.Parameter(one.clone()) for one in start]
        optimizer = make(params, lr=0.1, weight_decay=0.1, momentum=0.9)
        generator = torch.Generator().manual_seed(1)
        for k in range(6):
            for p in params[: len(params) - k % 2]:  # the last has no gradient at times
                p.grad = torch.randn(p.shape, generator=generator)
            if k % 2:
                params[-1].grad = None
            optimizer.step()
        found.append(params)
    for ours, torchs in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, torchs, rtol=0, atol=0.02)


def test_muon_makes_matrices_orthogonal():
    x = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = orthogonalise(x, (3.4445, -4.775, 2.0315), 5, 1e-7)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    inside = u.mT @ found @ v.mT  # the same singular vectors, other singular values
    values = inside.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(values), rtol=0, atol=1e-9)
    assert values.min() > 0.6 and values.max() < 1.25


# ------------------------------------------------------------------------------------- rate


@every_optimizer
def test_the_schedule_scales_every_groups_peak(name):
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": name}, model=model)
    peaks = [g["lr"] for g in optimizer.param_groups]
    rate = LearningRate(optimizer, SCHEDULES.build({"name": "linear"}))
    for progress in (0.0, 0.25, 0.9, 1.0, 1.7):
        rate.set(progress)
        expected = [peak * (1 - min(1.0, progress)) for peak in peaks]
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx(expected)
        assert rate.now == pytest.approx(expected[0])


@every_optimizer
def test_the_schedule_still_rules_after_a_restore(name):
    """load_state_dict makes new groups; a rate set on the old ones would change nothing."""
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": name}, model=model)
    names = {id(p): n for n, p in model.named_parameters()}
    rate = LearningRate(optimizer, SCHEDULES.build({"name": "linear"}))
    peaks = [g["lr"] for g in optimizer.param_groups]
    rate.set(0.5)
    step(model, optimizer)
    load_optimizer(optimizer, names, optimizer_tensors(optimizer, names))
    rate.set(0.75)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([p / 4 for p in peaks])
