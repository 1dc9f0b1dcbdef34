"""Optimizers: torch's own, with weight decay kept off biases and norms, fused where torch can.

Every builder takes the model, so that it can tell matrices from vectors and hidden layers from
embeddings and heads. `lr` is the peak rate; the schedule multiplies it.
"""

import torch
from torch import nn

from zoo.bounds import Fraction, NotNegative
from zoo.optim.fused_adamw import FusedAdamW
from zoo.optim.groups import can_fuse, groups_of, two
from zoo.registry import OPTIMIZERS


@OPTIMIZERS.register("sgd")
def sgd(
    model: nn.Module,
    lr: NotNegative = 0.1,
    weight_decay: NotNegative = 5e-4,
    momentum: Fraction = 0.9,
    nesterov: bool = True,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum."""
    return torch.optim.SGD(
        groups_of(model, weight_decay),
        lr,
        momentum=momentum,
        nesterov=nesterov and momentum > 0,
        fused=can_fuse(model),
    )


@OPTIMIZERS.register("adam")
def adam(
    model: nn.Module,
    lr: NotNegative = 1e-3,
    weight_decay: NotNegative = 0.0,
    betas: tuple[Fraction, ...] = (0.9, 0.999),
    eps: NotNegative = 1e-8,
) -> torch.optim.Optimizer:
    """Kingma and Ba, 2015, arXiv:1412.6980; decay, if any, is added to the gradient."""
    groups = groups_of(model, weight_decay)
    return torch.optim.Adam(groups, lr, two(betas), eps, fused=can_fuse(model))


@OPTIMIZERS.register("adamw")
def adamw(
    model: nn.Module,
    lr: NotNegative = 1e-3,
    weight_decay: NotNegative = 0.01,
    betas: tuple[Fraction, ...] = (0.9, 0.999),
    eps: NotNegative = 1e-8,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""
    groups = groups_of(model, weight_decay)
    make = FusedAdamW if can_fuse(model) else torch.optim.AdamW
    return make(groups, lr, two(betas), eps, fused=can_fuse(model))


@OPTIMIZERS.register("rmsprop")
def rmsprop(
    model: nn.Module,
    lr: NotNegative = 1e-3,
    weight_decay: NotNegative = 0.0,
    alpha: Fraction = 0.99,
    momentum: Fraction = 0.0,
    eps: NotNegative = 1e-8,
) -> torch.optim.Optimizer:
    """Hinton's lecture 6e, 2012: the gradient over a running root mean square."""
    groups = groups_of(model, weight_decay)
    return torch.optim.RMSprop(groups, lr, alpha, eps, momentum=momentum)


@OPTIMIZERS.register("adagrad")
def adagrad(
    model: nn.Module,
    lr: NotNegative = 0.05,
    weight_decay: NotNegative = 0.0,
    eps: NotNegative = 1e-10,
) -> torch.optim.Optimizer:
    """Duchi, Hazan and Singer, 2011: the gradient over the root of all squares so far."""
    return torch.optim.Adagrad(groups_of(model, weight_decay), lr, eps=eps)
