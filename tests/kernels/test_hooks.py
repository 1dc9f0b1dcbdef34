"""A module with hooks must be called."""

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from zoo.kernels.hooks import has_hooks

REGISTER = {
    "forward": lambda module: module.register_forward_hook(lambda *_: None),
    "forward pre": lambda module: module.register_forward_pre_hook(lambda *_: None),
    "backward": lambda module: module.register_full_backward_hook(lambda *_: None),
    "of all modules": lambda module: register_module_forward_hook(lambda *_: None),
}


@pytest.mark.parametrize("kind", REGISTER)
def test_hooks_are_seen_until_they_are_removed(kind):
    module = nn.Linear(2, 2)
    assert not has_hooks(module)
    handle = REGISTER[kind](module)
    assert has_hooks(module)
    handle.remove()
    assert not has_hooks(module)


def test_a_forward_of_its_own_counts_as_one():
    module = nn.Linear(2, 2)
    module.forward = torch.relu
    assert has_hooks(module)
