"""Muon: the matrices that it takes, its steps against torch's, its iterations."""

import torch
from torch import nn
from toys import mixed

from zoo.layers.mixture import GroupedLinear
from zoo.optim.muon import StackedMuon, orthogonalise, split_for_muon
from zoo.optim.state import parts
from zoo.registry import OPTIMIZERS


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


def test_muon_steps_as_torchs_own_matrix_by_matrix():
    torch.manual_seed(0)
    shapes = [(8, 24), (24, 8), (8, 24), (8, 8), (5, 7), (7, 5)]
    start = [torch.randn(shape) for shape in shapes]
    trained = []
    for make in (torch.optim.Muon, StackedMuon):
        params = [nn.Parameter(matrix.clone()) for matrix in start]
        optimizer = make(params, lr=0.1, weight_decay=0.1, momentum=0.9)
        generator = torch.Generator().manual_seed(1)
        for k in range(6):
            for p in params[: len(params) - k % 2]:  # the last has no gradient at times
                p.grad = torch.randn(p.shape, generator=generator)
            if k % 2:
                params[-1].grad = None
            optimizer.step()
        trained.append(params)
    for actual, expected in zip(trained[1], trained[0], strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=0.02)


def test_muon_makes_matrices_orthogonal():
    x = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    actual = orthogonalise(x, (3.4445, -4.775, 2.0315), 5, 1e-7)
    u, _, v = torch.linalg.svd(x, full_matrices=False)
    inside = u.mT @ actual @ v.mT  # the same singular vectors, other singular values
    values = inside.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(values), rtol=0, atol=1e-9)
    assert values.min() > 0.6 and values.max() < 1.25


def test_muon_takes_the_experts_of_a_mixture_one_by_one():
    torch.manual_seed(0)
    layer = GroupedLinear(3, 4, 6)
    apart = [nn.Parameter(w.clone()) for w in layer.weight.detach().chunk(3)]
    gradient = torch.randn(18, 4)
    layer.weight.grad = gradient
    for p, part in zip(apart, gradient.chunk(3), strict=True):
        p.grad = part.clone()
    OPTIMIZERS.build({"name": "muon", "lr": 0.1}, model=layer).step()
    StackedMuon(apart, lr=0.1, weight_decay=0.01, momentum=0.95).step()
    torch.testing.assert_close(layer.weight, torch.cat(apart), rtol=0, atol=0)
