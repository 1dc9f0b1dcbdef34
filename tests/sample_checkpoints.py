"""Small checkpoints, and what is read of them."""

import torch
from toys import same


def tensors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = {"a.weight": torch.randn(4, 3, generator=generator), "b": torch.tensor(3)}
    return {"model": model, "optimizer": {"a.weight|step": torch.tensor(float(seed))}}


def load(keeper, kind="last"):
    messages = []
    return keeper.load(kind, messages.append), messages


def is_step(checkpoint, step):
    """Whether it is whole and of that step."""
    expected = tensors(step)
    assert checkpoint.step == checkpoint.state["step"] == step
    assert all(same(checkpoint.tensors[name], expected[name]) for name in expected)
    return True
