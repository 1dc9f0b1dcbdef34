"""Optimizers: torch's own, with weight decay kept off biases and norms, fused where torch can.

Every builder takes the model, so that it can tell matrices from vectors and hidden layers from
embeddings and heads. `lr` is the peak rate; the schedule multiplies it.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.naming import in_head
from zoo.optim.fused_adamw import FusedAdamW
from zoo.optim.muon import StackedMuon
from zoo.optim.row_adagrad import RowAdagrad
from zoo.registry import OPTIMIZERS

FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")
Groups = list[dict[str, Any]]


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name."""
    found = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not found:
        raise UserError("the model has no parameter to train")
    return found


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> Groups:
    """Matrices and kernels decay; biases, norms and other vectors do not."""
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _fused(model: nn.Module) -> bool:
    parameters = trainable(model).values()
    return all(p.device.type in FUSED_DEVICES and p.is_floating_point() for p in parameters)


def _groups(model: nn.Module, weight_decay: float) -> Groups:
    return decay_groups(trainable(model).values(), weight_decay)


@OPTIMIZERS.register("sgd")
def sgd(
    model: nn.Module,
    lr: float = 0.1,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    nesterov: bool = True,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with (Nesterov) momentum."""
    return torch.optim.SGD(
        _groups(model, weight_decay),
        lr,
        momentum=momentum,
        nesterov=nesterov and momentum > 0,
        fused=_fused(model),
    )


@OPTIMIZERS.register("adam")
def adam(
    model: nn.Module,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    betas: tuple[float, ...] = (0.9, 0.999),
    eps: float = 1e-8,
) -> torch.optim.Optimizer:
    """Kingma and Ba, 2015, arXiv:1412.6980; decay, if any, is added to the gradient."""
    groups = _groups(model, weight_decay)
    return torch.optim.Adam(groups, lr, tuple(betas), eps, fused=_fused(model))


@OPTIMIZERS.register("adamw")
def adamw(
    model: nn.Module,
    lr: float = 1e-3,
    weight_decay: float = 0.01,
    betas: tuple[float, ...] = (0.9, 0.999),
    eps: float = 1e-8,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019, arXiv:1711.05101)."""
    groups = _groups(model, weight_decay)
    make = FusedAdamW if _fused(model) else torch.optim.AdamW
    return make(groups, lr, tuple(betas), eps, fused=_fused(model))


@OPTIMIZERS.register("rmsprop")
def rmsprop(
    model: nn.Module,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    alpha: float = 0.99,
    momentum: float = 0.0,
    eps: float = 1e-8,
) -> torch.optim.Optimizer:
    """Hinton's lecture 6e, 2012: the gradient over a running root mean square."""
    groups = _groups(model, weight_decay)
    return torch.optim.RMSprop(groups, lr, alpha, eps, momentum=momentum)


@OPTIMIZERS.register("adagrad")
def adagrad(
    model: nn.Module, lr: float = 0.05, weight_decay: float = 0.0, eps: float = 1e-10
) -> torch.optim.Optimizer:
    """Duchi, Hazan and Singer, 2011: the gradient over the root of all squares so far."""
    return torch.optim.Adagrad(_groups(model, weight_decay), lr, eps=eps)


@OPTIMIZERS.register("row_adagrad")
def row_adagrad(
    model: nn.Module,
    lr: float = 0.3,
    weight_decay: float = 0.0,
    initial: float = 0.0,
    eps: float = 1e-10,
) -> torch.optim.Optimizer:
    """Adagrad with one rate per row, for tables of vectors: a step changes the rows it looked up.

    It makes every `nn.Embedding` report its gradient row by row.

    Args:
        model: Whose parameters to train.
        lr: Rate; a row's first step is about so long in each of its numbers.
        weight_decay: Added to the gradient, of the rows that a step looked up alone.
        initial: What the sums of squared gradients start at: the more, the shorter the first steps.
        eps: Added to the root of the sums.
    """
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.sparse = True
    return RowAdagrad(_groups(model, weight_decay), lr, initial, eps)


class Together:
    """Several optimizers stepped as one; each parameter belongs to one of them."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> Groups:
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)


def embedding_ids(model: nn.Module) -> set[int]:
    """The `id` of every embedding's weight."""
    return {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}


def split_for_muon(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices of hidden layers, everything else).

    Embeddings and the output layer (see zoo.naming) look things up rather
    than transform, and go to AdamW, as do vectors and convolution kernels.
    """
    embeddings = embedding_ids(model)
    matrices, rest = [], []
    for name, p in trainable(model).items():
        hidden = p.ndim == 2 and id(p) not in embeddings and not in_head(name)
        (matrices if hidden else rest).append(p)
    return matrices, rest


@OPTIMIZERS.register("muon")
def muon(
    model: nn.Module,
    lr: float = 0.02,
    weight_decay: float = 0.01,
    momentum: float = 0.95,
    adam_lr: float = 3e-3,
    adam_betas: tuple[float, ...] = (0.9, 0.95),
    embedding_lr: float | None = None,
    head_lr: float | None = None,
) -> Together | torch.optim.Optimizer:
    """Muon (Jordan et al., 2024) for the matrices of hidden layers, AdamW for the rest.

    Args:
        model: Whose parameters to train.
        lr: Rate of the matrices, in units of their spectral norm.
        weight_decay: Of matrices and kernels alike.
        momentum: Of Muon.
        adam_lr, adam_betas: Of AdamW.
        embedding_lr, head_lr: Of AdamW for embeddings and for the output layer; null for adam_lr.
    """
    matrices, rest = split_for_muon(model)
    parts: list[torch.optim.Optimizer] = []
    if matrices:
        parts.append(StackedMuon(matrices, lr=lr, weight_decay=weight_decay, momentum=momentum))
    if rest:
        embeddings = embedding_ids(model)
        heads = {id(p) for n, p in trainable(model).items() if in_head(n)}
        rates = {id(p): adam_lr for p in rest}
        rates |= {one: head_lr for one in heads if head_lr is not None}
        rates |= {one: embedding_lr for one in embeddings if embedding_lr is not None}
        groups = []
        for rate in dict.fromkeys(rates[id(p)] for p in rest):
            alike = decay_groups([p for p in rest if rates[id(p)] == rate], weight_decay)
            groups += [{**group, "lr": rate} for group in alike]
        make = FusedAdamW if _fused(model) else torch.optim.AdamW
        parts.append(make(groups, adam_lr, tuple(adam_betas), fused=_fused(model)))
    return parts[0] if len(parts) == 1 else Together(parts)


class LearningRate:
    """Sets the rate of every group to the schedule's factor times the group's peak."""

    def __init__(self, optimizer: Any, schedule: Any) -> None:
        self.optimizer, self.schedule = optimizer, schedule
        self.peaks = [group["lr"] for group in optimizer.param_groups]
        self.now = self.peaks[0]

    def set(self, progress: float) -> None:
        """Apply the rate at a share `progress` of the training."""
        factor = self.schedule.factor(min(1.0, progress))
        for group, peak in zip(self.optimizer.param_groups, self.peaks):  # new after a resume
            group["lr"] = peak * factor
        self.now = self.peaks[0] * factor


def parts(optimizer: Any) -> list[torch.optim.Optimizer]:
    """The torch optimizers that an optimizer consists of."""
    return getattr(optimizer, "parts", [optimizer])


def optimizer_tensors(optimizer: Any, names: dict[int, str]) -> dict[str, Tensor]:
    """The optimizer's state as CPU tensors named `<parameter>|<quantity>`.

    Args:
        optimizer: What a builder above gave.
        names: Parameter names by `id`.
    """
    tensors = {}
    for part in parts(optimizer):
        for parameter, state in part.state.items():
            for key, value in state.items():
                tensor = value if isinstance(value, Tensor) else torch.tensor(value)
                tensors[f"{names[id(parameter)]}|{key}"] = tensor.cpu().contiguous()
    return tensors


def load_optimizer(optimizer: Any, names: dict[int, str], tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    by_parameter: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, quantity = key.rsplit("|", 1)
        by_parameter.setdefault(name, {})[quantity] = tensor
    for part in parts(optimizer):
        state = part.state_dict()
        flat = [p for group in part.param_groups for p in group["params"]]
        state["state"] = {
            i: {key: _laid_out_as(p, t) for key, t in by_parameter[names[id(p)]].items()}
            for i, p in enumerate(flat)
            if names[id(p)] in by_parameter
        }
        part.load_state_dict(state)


def _laid_out_as(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The tensor in its parameter's memory order, which fused kernels take for granted."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
