"""An optimizer's state goes through a checkpoint, and the next steps are the same bit for bit."""

import pytest
import torch
from torch import nn
from toys import same

from zoo.optim.state import load_optimizer, optimizer_tensors
from zoo.registry import OPTIMIZERS

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


@every_optimizer
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_state_round_trip_resumes_bit_for_bit(name, layout):
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


def test_sgd_without_momentum():
    model = nn.Linear(2, 1)
    optimizer = OPTIMIZERS.build({"name": "sgd", "momentum": 0.0}, model=model)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    names = {id(p): n for n, p in model.named_parameters()}
    load_optimizer(optimizer, names, optimizer_tensors(optimizer, names))
