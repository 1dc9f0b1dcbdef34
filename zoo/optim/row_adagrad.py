"""Adagrad with one rate per row, for embedding tables: a step looks up a few rows.

A dense gradient for a vocabulary of 100,000 words would cost more than all else in a step.
Shapes: V rows, D numbers in a row, U rows that a gradient names.
"""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import NotNegative
from zoo.optim.groups import groups_of
from zoo.registry import OPTIMIZERS


class RowAdagrad(torch.optim.Optimizer):
    """Divides the gradient of each row by the root of the sum of its mean squares so far.

    Adagrad is Duchi, Hazan and Singer, 2011, https://jmlr.org/papers/v12/duchi11a.html. A row is
    an entry of a parameter's first dimension. A sparse gradient may name a row many times; the
    parts are summed first, so that the square is that of their sum. Rows that it does not name
    stay as they are. State: `squares`, one number a row.

    Args:
        params: Parameters with sparse or dense gradients, or groups of them.
        lr: Rate.
        initial: Initial value of `squares`.
        eps: Added to the root.
        weight_decay: Added to the gradient, of the rows that it names.
        tables: `id`s of parameters whose dense gradient names the rows in which it is not zero.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        initial: NotNegative = 0.0,
        eps: NotNegative = 1e-10,
        weight_decay: NotNegative = 0.0,
        tables: Collection[int] = (),
    ) -> None:
        if min(lr, initial, eps) < 0 or initial + eps == 0:
            raise ValueError(
                f"lr={lr:g}, initial={initial:g}, eps={eps:g}: expected none below 0, and initial "
                "or eps above"
            )
        defaults = {"lr": lr, "initial": initial, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)
        self.tables = tables

    def step(self, closure: Any = None) -> Any:
        """One update of every parameter that has a gradient."""
        assert closure is None, "nothing here evaluates the loss again"
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self._update(p, p.grad, group)

    step.hooked = True  # type: ignore[attr-defined]  # no profiler record around each step

    def _update(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rows, weights = self.state[p], None, p
        if "squares" not in state:
            state["squares"] = p.new_full((len(p),), group["initial"])
        squares = state["squares"]  # (V,)
        if gradient.is_sparse:
            rows, gradient = summed_rows(gradient)  # (U,), (U, ...)
            squares = squares.index_select(0, rows)
            weights = p.index_select(0, rows) if group["weight_decay"] else p
        if group["weight_decay"]:
            decayed = gradient.add(weights, alpha=group["weight_decay"])
            if rows is None and id(p) in self.tables:
                decayed = torch.where(gradient.any(1, keepdim=True), decayed, gradient)
            gradient = decayed
        flat = gradient.reshape(len(gradient), -1)  # (U or V, D)
        norm = torch.linalg.vector_norm(flat, dim=1)
        squares.addcmul_(norm, norm, value=1 / flat.shape[1])
        rate = squares.sqrt().add_(group["eps"]).reciprocal_().mul_(-group["lr"])
        change = (flat * rate[:, None]).view(gradient.shape)
        if rows is None:
            p.add_(change)
        else:
            state["squares"].index_copy_(0, rows, squares)
            p.index_add_(0, rows, change)


def summed_rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that a sparse gradient names, each once and in order, and their sums.

    As `gradient.coalesce()`, but quicker: by a radix sort on a CPU, where the parts of a row are
    added in their order, however many threads there are; without a sort elsewhere.

    Args:
        gradient: Sparse COO (V, ...), sparse in its first dimension alone.

    Returns:
        Row numbers int64 (U,), sums (U, ...).
    """
    names, values = gradient._indices()[0], gradient._values()
    if gradient.is_coalesced():
        return names, values
    counts = torch.bincount(names, minlength=gradient.shape[0])  # (V,)
    rows = counts.nonzero().squeeze(1)  # (U,)
    if names.device.type == "cpu":
        starts = counts.cumsum(0).sub_(counts).index_select(0, rows)  # of each row's parts in order
        parts = values.reshape(len(values), -1)
        sums = F.embedding_bag(stable_order(names, len(counts)), parts, starts, mode="sum")
        return rows, sums.view(len(rows), *values.shape[1:])
    places = (counts > 0).cumsum(0).sub_(1)  # (V,): where the sum of each present row goes
    return rows, values.new_zeros(len(rows), *values.shape[1:]).index_add_(0, places[names], values)


def stable_order(names: Tensor, limit: int) -> Tensor:
    """As `names.argsort(stable=True)` of CPU numbers int64 (N,), all from 0 to below `limit`.

    By numpy, which sorts numbers of 16 bits by their digits: 6 times as fast.
    """
    keys = names.numpy()
    order = keys.astype(np.uint16).argsort(kind="stable")  # the last 16 bits
    for shift in range(16, (limit - 1).bit_length(), 16):
        order = order[(keys >> shift).astype(np.uint16)[order].argsort(kind="stable")]
    return torch.from_numpy(order)


@OPTIMIZERS.register("row_adagrad")
def row_adagrad(
    model: nn.Module,
    lr: NotNegative = 0.3,
    weight_decay: NotNegative = 0.0,
    initial: NotNegative = 0.0,
    eps: NotNegative = 1e-10,
) -> torch.optim.Optimizer:
    """Adagrad with one rate per row, for tables of vectors: a step changes the rows it looked up.

    On a CPU it makes every `nn.Embedding` report its gradient row by row. On a GPU a dense gradient
    costs less than waiting to know how many rows there are, and ranks can add it up.

    Args:
        model: Whose parameters to train.
        lr: Rate, about the size of a row's first step in each of its numbers.
        weight_decay: Added to the gradient, of the rows that a step looked up alone.
        initial: Initial sum of squared gradients: the larger, the shorter the first steps.
        eps: Added to the root of the sums.
    """
    embeddings = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    for module in embeddings:
        module.sparse = module.weight.device.type == "cpu"
    tables = {id(module.weight) for module in embeddings}
    return RowAdagrad(groups_of(model, weight_decay), lr, initial, eps, tables=tables)
