"""Collective operations of ranks, beyond those that `Runtime` has."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from zoo.errors import TrainingFailed, UserError
from zoo.tasks.base import Gathered
from zoo.training.runtime import Runtime

SOURCE = re.compile(r"^\[\S+\] ")  # gloo begins with the line of its own code
LOST = re.compile("gloo|nccl|connection (closed|reset)", re.IGNORECASE)


class _Gather(torch.autograd.Function):
    """All ranks' rows; each row's gradient is summed over the ranks that used it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, start: int, sizes: list[int]) -> Tensor:
        ctx.own_rows = slice(start, start + len(rows))
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(gathered, padded)
        return torch.cat([rows_of_rank[:size] for rows_of_rank, size in zip(gathered, sizes)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total[ctx.own_rows], None, None


def gather_with_gradient(features: Tensor) -> Gathered:
    """The features (N, ...) of all ranks, through which gradients reach the rank they came from.

    Every rank must call it, as often as the others; their numbers of rows may differ. Where no
    gradient is wanted, as in evaluation, whose ranks have batches of their own, it gives back the
    rank's own.
    """
    if not torch.is_grad_enabled():
        return Gathered(features, 0)
    count = torch.tensor([len(features)])  # on the CPU: no GPU is waited for
    counts = [torch.empty_like(count) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, count)
    sizes = [int(size) for size in counts]
    start = sum(sizes[: dist.get_rank()])
    return Gathered(_Gather.apply(features, start, sizes), start)


@contextlib.contextmanager
def lost_ranks_reported(ranks: int, hint: str = "") -> Iterator[None]:
    """One line where another rank has died in the middle of an operation of all.

    Args:
        ranks: How many there are.
        hint: What to do about it.

    Raises:
        TrainingFailed: In place of the transport's error.
    """
    try:
        yield
    except RuntimeError as error:
        if ranks == 1 or not LOST.search(str(error)):
            raise
        reason = SOURCE.sub("", str(error)).splitlines()[0].partition(". ")[0]
        raise TrainingFailed(f"another rank has ended ({reason}){hint}") from None


@contextlib.contextmanager
def main_first(runtime: Runtime) -> Iterator[None]:
    """Rank 0 downloads or decodes; the others wait, and find it done.

    Raises:
        UserError: On the others, where rank 0 has failed: it reports why.
    """
    if not runtime.main and not runtime.first(None):
        raise UserError("rank 0 has failed")
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if runtime.main:
            runtime.first(is_done)
