"""The parameters that optimizers are built from."""

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.optim.groups import can_fuse, groups_of, trainable


def model():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def test_matrices_and_kernels_decay_and_vectors_do_not():
    net = model()
    decayed, plain = groups_of(net, 0.1)
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    assert [p.ndim for p in decayed["params"]] == [4, 2]
    assert {p.ndim for p in plain["params"]} == {1} and len(plain["params"]) == 4


def test_frozen_parameters_are_left_out():
    net = model()
    net[0].requires_grad_(False)
    net[1].requires_grad_(False)
    assert list(trainable(net)) == ["3.weight", "3.bias"]
    net[3].bias.requires_grad_(False)
    assert len(groups_of(net, 0.1)) == 1  # no empty group
    net.requires_grad_(False)
    with pytest.raises(UserError, match="no parameter to train"):
        trainable(net)


def test_the_fused_step_takes_no_complex_numbers():
    net = nn.Linear(2, 2)
    assert can_fuse(net)
    net.bias = nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    assert not can_fuse(net)
