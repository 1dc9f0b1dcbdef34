"""Muon, matrices of one shape orthogonalised together.

Jordan et al., 2024, https://kellerjordan.github.io/posts/muon.
Differs from its advice: a weight that makes queries, keys and values together, or both halves of a
gated layer, is orthogonalised as the one matrix that it is, not part by part.
Shapes: N matrices of one shape, R rows, C columns, R <= C.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from zoo.bounds import Fraction, NotNegative
from zoo.naming import in_head
from zoo.optim.chained import ChainedOptimizer
from zoo.optim.fused_adamw import FusedAdamW
from zoo.optim.groups import can_fuse, decay_groups, trainable, two
from zoo.registry import OPTIMIZERS


class StackedMuon(torch.optim.Muon):
    """torch.optim.Muon whose Newton-Schulz iterations go over stacks of matrices: the blocks of a
    Transformer keep a processor busy together that none of their small matrices would alone.

    State and state_dict are torch's own; numbers differ by the rounding of bfloat16.

    Attributes:
        stacked: Of parameters that are several matrices, one below another, how many.
    """

    stacked: dict[Tensor, int] = {}

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One update of every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params: list[Tensor] = []
            grads: list[Tensor] = []
            averages: list[Tensor] = []
            self._init_group(group, params, grads, averages)
            if params:
                self._update(group, params, grads, averages)
        return loss

    def _update(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        averages: list[Tensor],
    ) -> None:
        momentum, lr = group["momentum"], group["lr"]
        torch._foreach_lerp_(averages, grads, 1 - momentum)
        ahead = torch._foreach_lerp(grads, averages, momentum) if group["nesterov"] else averages
        torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        pairs = [  # of a matrix and its gradient
            pair
            for p, gradient in zip(params, ahead, strict=True)
            for pair in zip(self._matrices(p, p), self._matrices(p, gradient), strict=True)
        ]
        stacks: dict[Any, list[int]] = {}  # of one shape once the longer side is last
        for k, (p, _) in enumerate(pairs):
            stacks.setdefault((min(p.shape), max(p.shape), p.device), []).append(k)
        for members in stacks.values():
            tall = [pairs[k][0].shape[0] > pairs[k][0].shape[1] for k in members]
            stack = torch.stack(
                [pairs[k][1].T if t else pairs[k][1] for k, t in zip(members, tall)]
            )
            updates = orthogonalise(
                stack.bfloat16(), group["ns_coefficients"], group["ns_steps"], group["eps"]
            )
            for k, t, update in zip(members, tall, updates):
                p = pairs[k][0]
                rate = lr * math.sqrt(max(1.0, p.shape[0] / p.shape[1]))
                p.add_(update.T if t else update, alpha=-rate)

    def _matrices(self, parameter: Tensor, tensor: Tensor) -> tuple[Tensor, ...]:
        """The matrices of a parameter, or of a tensor of its shape."""
        number = self.stacked.get(parameter, 1)
        return tensor.chunk(number) if number > 1 else (tensor,)


def orthogonalise(
    x: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Nearly the closest orthogonal matrices: (N, R, C) to the same, singular values about one.

    A quintic Newton-Schulz iteration, which overshoots on purpose: it needs few steps.
    """
    a, b, c = coefficients
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def embedding_ids(model: nn.Module) -> set[int]:
    """The `id` of every embedding's weight."""
    return {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}


def stacked_matrices(model: nn.Module) -> dict[Tensor, int]:
    """Weights that are several matrices one below another, as of a mixture's experts: how many."""
    layers: list[Any] = [m for m in model.modules() if hasattr(m, "stacked")]
    return {layer.weight: layer.stacked for layer in layers}


def split_for_muon(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices of hidden layers, everything else).

    Embeddings and the output layer (see zoo.naming) look things up rather than
    transform, and go to AdamW, as do vectors and convolution kernels.
    """
    embeddings = embedding_ids(model)
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, p in trainable(model).items():
        hidden = p.ndim == 2 and id(p) not in embeddings and not in_head(name)
        (matrices if hidden else rest).append(p)
    return matrices, rest


@OPTIMIZERS.register("muon")
def muon(
    model: nn.Module,
    lr: NotNegative = 0.02,
    weight_decay: NotNegative = 0.01,
    momentum: Fraction = 0.95,
    adam_lr: NotNegative = 3e-3,
    adam_betas: tuple[Fraction, ...] = (0.9, 0.95),
    embedding_lr: NotNegative | None = None,
    head_lr: NotNegative | None = None,
) -> ChainedOptimizer | torch.optim.Optimizer:
    """Muon (Jordan et al., 2024) for the matrices of hidden layers, AdamW for the rest.

    Args:
        model: Whose parameters to train.
        lr: Rate of the matrices, in units of their spectral norm.
        weight_decay: Of matrices and kernels.
        momentum: Of Muon.
        adam_lr, adam_betas: Of AdamW.
        embedding_lr, head_lr: Of AdamW for embeddings and for the output layer; null for adam_lr.
    """
    matrices, rest = split_for_muon(model)
    parts: list[torch.optim.Optimizer] = []
    if matrices:
        hidden = StackedMuon(matrices, lr=lr, weight_decay=weight_decay, momentum=momentum)
        hidden.stacked = stacked_matrices(model)
        parts.append(hidden)
    if rest:
        embeddings = embedding_ids(model)
        heads = {id(p) for n, p in trainable(model).items() if in_head(n)}
        rates = {id(p): adam_lr for p in rest}
        rates |= {key: head_lr for key in heads if head_lr is not None}
        rates |= {key: embedding_lr for key in embeddings if embedding_lr is not None}
        groups = []
        for rate in dict.fromkeys(rates[id(p)] for p in rest):
            members = [p for p in rest if rates[id(p)] == rate]
            groups += [{**group, "lr": rate} for group in decay_groups(members, weight_decay)]
        make = FusedAdamW if can_fuse(model) else torch.optim.AdamW
        parts.append(make(groups, adam_lr, two(adam_betas), fused=can_fuse(model)))
    return parts[0] if len(parts) == 1 else ChainedOptimizer(parts)
