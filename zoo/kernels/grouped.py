"""Experts of a mixture: linear layers side by side, each for rows of its own.

Shapes: M rows, I inputs, O outputs, E layers or experts; N tokens, K experts of each, D width.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from zoo.kernels.registry import Arguments, kernel


def _examples() -> Iterator[Arguments]:
    """Layers without a row, and one with all of them."""
    for counts in ([3, 0, 9, 1], [0, 0, 13], [13, 0], [0, 40, 0, 30, 58]):
        rows, layers = sum(counts), len(counts)
        x = torch.randn(rows, 16, dtype=torch.float64).requires_grad_()
        weight = torch.randn(layers, 24, 16, dtype=torch.float64).requires_grad_()
        yield x, weight, torch.tensor(counts)


@kernel(examples=_examples)
def grouped_linear(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """x W_e^T, with each row's own W_e: (M, O).

    Args:
        x: (M, I), the rows of the first layer first, then those of the second, and so on.
        weight: (E, O, I).
        counts: How many rows each layer has, int64 (E,), M together.
    """
    parts = x.split(counts.tolist())
    return torch.cat([F.linear(rows, w) for rows, w in zip(parts, weight, strict=True)])


def mixed_experts(x: Tensor, chosen: Tensor, weights: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """The weighted sum of what each token's SwiGLU experts compute, (N, D).

    Each expert computes its own tokens, which are sorted by expert; for one token, as in
    generation, its experts compute one after another. In a graph that is exported, whose shapes
    cannot depend on numbers, all experts compute all tokens.

    Args:
        x: (N, D).
        chosen: Experts of each token, int64 (N, K).
        weights: Theirs (N, K).
        up: Of each expert value and gate, one below the other, (E, 2 I, D).
        down: (E, D, I).
    """
    if torch.compiler.is_exporting():
        h = F.linear(x, up.flatten(0, 1)).unflatten(-1, up.shape[:2])  # (N, E, 2 I)
        h = torch.einsum("nei,edi->ned", _swiglu(h), down)
        places = torch.arange(len(up), device=x.device)
        of_all = (weights[..., None] * (chosen[..., None] == places)).sum(1)  # (N, E)
        return (h * of_all[..., None]).sum(1)
    if len(x) == 1 and x.device.type == "cpu":
        parts = [F.linear(_swiglu(F.linear(x, up[e])), down[e]) for e in chosen[0].tolist()]
        return (weights.mT * torch.cat(parts)).sum(0, keepdim=True)
    flat = chosen.flatten()  # (N K,)
    order = flat.argsort(stable=True)
    counts = count_choices(chosen, len(up))
    h = _swiglu(grouped_linear(x[order // chosen.shape[1]], up, counts))  # (N K, I)
    h = grouped_linear(h, down, counts)[order.argsort()]  # (N K, D), by token again
    return (h.unflatten(0, chosen.shape) * weights[..., None]).sum(1)


def count_choices(chosen: Tensor, experts: int, counted: Tensor | None = None) -> Tensor:
    """How often each expert was chosen, int64 (E,); a GPU is not waited for.

    Args:
        chosen: Experts of each token, int64 (..., K).
        experts: E.
        counted: Which tokens count, bool (...); None for all.
    """
    ones = torch.ones_like(chosen)
    if counted is not None:
        ones = ones * counted[..., None]
    counts = torch.zeros(experts, dtype=torch.int64, device=chosen.device)
    return counts.scatter_add_(0, chosen.flatten(), ones.flatten())


def _swiglu(h: Tensor) -> Tensor:
    """(..., 2 I) to (..., I)."""
    value, gate = h.chunk(2, dim=-1)
    return value * F.silu(gate)
