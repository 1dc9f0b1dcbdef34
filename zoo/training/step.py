"""One batch's gradient, exact however the batch is cut."""

import contextlib
import inspect
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.tasks.base import Batch, Task, to_float64
from zoo.training.collectives import gather_with_gradient
from zoo.training.precision import Precision, rescale_gradients
from zoo.training.rank_norm import RankBatchNorm, share_batch_norms
from zoo.training.runtime import Runtime

NEW, OLD = "forward_sync_buffers", "broadcast_buffers"  # names in torch from 2.13 on, and before
SENDS_BUFFERS = (
    NEW if NEW in inspect.signature(nn.parallel.DistributedDataParallel).parameters else OLD
)
SCALE = 1024  # the same on every rank, however many samples it has; dividing by it loses nothing


class RunningMetrics:
    """Metric sums since the last report, kept on the device one by one: until the next report
    nothing is added up, and nothing waits for the device."""

    def __init__(self) -> None:
        self.sums: dict[str, list[Tensor]] = {}

    def add(self, sums: dict[str, Tensor]) -> None:
        """Keep one batch's sums."""
        for name, value in sums.items():
            self.sums.setdefault(name, []).append(value.detach())

    def take(self) -> dict[str, Tensor]:
        """Return the totals, float64 on the CPU, and start again."""
        stacked, self.sums = self.state(), {}
        names = sorted(stacked, key=lambda name: (name != "loss", name))  # as after a resume
        return {name: stacked[name].double().sum(0) for name in names}

    def state(self) -> dict[str, Tensor]:
        """For the checkpoint: the sums of each name, stacked, on the CPU."""
        return {name: torch.stack(values).cpu() for name, values in self.sums.items()}

    def load(self, stacked: dict[str, Tensor], device: torch.device) -> None:
        """From the checkpoint."""
        self.sums = {name: list(values.to(device)) for name, values in stacked.items()}


def wrapped(model: nn.Module, runtime: Runtime, compile: bool) -> nn.Module:
    """The model as training calls it: compiled if configured, its gradients averaged over ranks.

    Raises:
        UserError: Gradients that the ranks cannot add up.
    """
    if compile:
        model = torch.compile(model)  # type: ignore[assignment]
    if runtime.ranks == 1:
        return model
    replicated = nn.parallel.DistributedDataParallel
    if runtime.device.type != "cpu":
        _refuse_sparse(model)
    if runtime.device.type == "cuda":
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    else:
        share_batch_norms(model)
    devices = None if runtime.device.type == "cpu" else [runtime.device]
    options: dict[str, Any] = {SENDS_BUFFERS: not _buffers_agree(model)}
    return replicated(model, devices, gradient_as_bucket_view=True, **options)


def _refuse_sparse(model: nn.Module) -> None:
    """Refuse sparse gradients, which only gloo can add up, not the libraries of GPUs."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.sparse:
            raise UserError(
                f"the gradient of {name} is sparse, which several GPUs cannot add up; set "
                f"sparse=False there, or train on one GPU"
            )


def _buffers_agree(model: nn.Module) -> bool:
    """Whether all buffers are statistics that ranks compute together, so none need be sent."""
    shared = (nn.SyncBatchNorm, RankBatchNorm)
    modules = [module for module in model.modules() if isinstance(module, shared)]
    agreed = {id(buffer) for module in modules for buffer in module.buffers()}
    return all(id(buffer) in agreed for buffer in model.buffers())


def accumulate_gradients(
    model: nn.Module,
    task: Task,
    micro_batches: list[Batch],
    precision: Precision,
    runtime: Runtime,
    running: RunningMetrics,
    request: int = 0,
) -> tuple[Tensor, Tensor | None]:
    """Gradients of the mean loss over every prediction of every micro-batch of every rank.

    Micro-batches may hold unequal numbers of predictions: each is back-propagated as a sum over a
    constant, and the gradients are divided once by the true count.

    Args:
        model: Wrapped for ranks or compiled, or plain.
        task: The objective.
        micro_batches: This rank's part of the batch.
        precision: Autocast and loss scale.
        runtime: The ranks.
        running: Takes the sums for the next report.
        request: This rank's request to stop or save (0 for none).

    Returns:
        The batch's summed loss, a scalar tensor; the sum of all ranks' requests, or None for one.
    """
    single = len(micro_batches) == 1 and runtime.ranks == 1
    loss = count = None
    for k, batch in enumerate(micro_batches):
        last = k == len(micro_batches) - 1
        with contextlib.nullcontext() if last else _no_sync(model):
            with precision.autocast():
                output = task.step(model, batch)
            # A batch may hold nothing to predict; its gradient is zero.
            precision.backward(output.loss_sum, output.count.clamp(min=1) if single else SCALE)
        running.add({"loss": output.loss_sum, **output.sums, "count": output.count})
        if single:
            return output.loss_sum.detach(), None
        loss = output.loss_sum.detach() if loss is None else loss + output.loss_sum.detach()
        count = output.count if count is None else count + output.count
    assert loss is not None and count is not None
    totals = to_float64(torch.stack([loss, count.to(loss.dtype), torch.full_like(loss, request)]))
    total_loss, total_count, requests = runtime.sum(totals)
    # DistributedDataParallel has averaged over ranks: `ranks` undoes it.
    factor = SCALE * runtime.ranks / total_count.clamp(min=1)
    rescale_gradients(model.parameters(), factor.to(loss.dtype))
    return total_loss, requests if runtime.ranks > 1 else None


def _no_sync(model: nn.Module) -> contextlib.AbstractContextManager[Any]:
    """Skip the averaging over ranks, which the last micro-batch does for all."""
    if isinstance(model, nn.parallel.DistributedDataParallel):
        return model.no_sync()
    return contextlib.nullcontext()


def prepare_task(task: Task, accumulate: int, ranks: int, batch_size: int) -> None:
    """Let a task whose loss is a function of the whole batch see all of it.

    Raises:
        UserError: Its batch would be cut into micro-batches, or is a single sample.
    """
    if not getattr(task, "whole_batch", False):
        return
    if accumulate > 1:
        raise UserError(
            f"trainer.accumulate={accumulate}: the loss of this task is a function of the whole "
            f"batch, which cannot be cut; set trainer.accumulate=1, and data.batch_size to what "
            f"fits into memory"
        )
    if batch_size == 1:
        raise UserError(
            "data.batch_size=1: the loss of this task is a function of several samples; raise it"
        )
    if ranks > 1:
        task.gather = gather_with_gradient  # type: ignore[attr-defined]
