"""Several optimizers as one."""

import torch
from toys import mixed, optimizer_step

from zoo.optim.chained import ChainedOptimizer
from zoo.registry import OPTIMIZERS


def test_chained_optimizers_step_as_one():
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": "muon"}, model=model)
    assert isinstance(optimizer, ChainedOptimizer)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    optimizer_step(model, optimizer)
    assert all(not torch.equal(before[n], p) for n, p in model.named_parameters())
    model(torch.zeros(1, 2, dtype=torch.int64)).sum().backward()
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())
