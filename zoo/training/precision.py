"""Number formats: fp32, bf16 or fp16 arithmetic over fp32 weights, and a trial that chooses."""

import contextlib
import copy
import statistics
import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import TrainingFailed, UserError
from zoo.optim.row_adagrad import summed_rows
from zoo.tasks.base import Batch, Task
from zoo.training.runtime import Runtime, available, forked_rng

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
WORTH = 1.2  # lower precision must be this much faster to be chosen
TRIAL_ROUNDS = 6
TRIAL_SECONDS = 4.0  # after which a trial ends
TINY_SECONDS = 2e-3  # a step shorter than this is all overhead; autocast only adds to it


class Precision:
    """Autocast and, for fp16, loss scaling (Micikevicius et al., 2018, arXiv:1710.03740)."""

    def __init__(self, name: str, device: torch.device) -> None:
        self.name, self.device, self.scaler = name, device, _scaler(name, device)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context for forward passes."""
        if self.name == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, DTYPES[self.name])

    def backward(self, loss_sum: Tensor, divisor: Tensor | int) -> None:
        """Gradients of loss_sum / divisor (scaled for fp16), added to what the parameters hold."""
        loss = loss_sum / divisor
        (self.scaler.scale(loss) if self.scaler else loss).backward()

    def unscale(self, optimizer: Any) -> None:
        """Take the loss scale out of the gradients, before they are read or clipped."""
        if self.scaler:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: Any) -> None:
        """Update the weights, unless fp16 gradients overflowed."""
        if self.scaler:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()

    def state(self) -> dict[str, Any]:
        """For the checkpoint, JSON."""
        return {"name": self.name, "scaler": self.scaler.state_dict() if self.scaler else {}}

    def load(self, state: dict[str, Any]) -> None:
        """From the checkpoint, whose number format is kept whatever was chosen now."""
        self.name, self.scaler = state["name"], _scaler(state["name"], self.device)
        if self.scaler and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def _scaler(name: str, device: torch.device) -> torch.amp.GradScaler | None:
    return torch.amp.GradScaler(device.type) if name == "fp16" else None


def choose_precision(
    name: str, model: nn.Module, task: Task, batch: Batch, runtime: Runtime, repeatable: bool
) -> tuple[str, str]:
    """The precision to train in, and why.

    `auto` times a few training steps of a copy of the model on a real batch, in fp32 and in the
    lower precision that the device has, and takes the faster; fp32 unless the gain is worth it.
    All ranks take rank 0's choice. A deterministic run takes fp32: timings decide nothing in it.

    Raises:
        UserError: A precision that the device lacks.
    """
    if name != "auto":
        _check(name, runtime.device)
        return name, "set explicitly"
    if repeatable:
        return "fp32", "auto: deterministic runs take it"
    return runtime.first(_trial(model, task, batch, runtime))


def _check(name: str, device: torch.device) -> None:
    if name == "fp16" and device.type == "cpu":
        raise UserError(
            "trainer.precision=fp16: a CPU gains nothing from fp16; use bf16, auto or fp32"
        )
    if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError("trainer.precision=bf16: this GPU lacks bf16; use fp16, auto or fp32")
    assert available(device.type)


def _trial(model: nn.Module, task: Task, batch: Batch, runtime: Runtime) -> tuple[str, str]:
    """Steps in both formats, interleaved: other load on the machine then slows both equally."""
    lower = "bf16"
    if runtime.device.type == "cuda" and not torch.cuda.is_bf16_supported():
        lower = "fp16"
    model = copy.deepcopy(model).train()
    formats = [Precision("fp32", runtime.device), Precision(lower, runtime.device)]
    times: list[list[float]] = [[], []]
    with forked_rng(runtime.device, 0):
        try:
            for _ in range(1 + TRIAL_ROUNDS):
                for precision, seconds in zip(formats, times):
                    seconds.append(_seconds(model, task, batch, precision, runtime))
                    if seconds[-1] < TINY_SECONDS:  # the first alone would measure a cold start
                        reason = f"a step takes {seconds[-1] * 1e3:.1f} ms, too short to gain"
                        return "fp32", f"auto: {reason}"
                if len(times[0]) > 1 and sum(map(sum, times)) > TRIAL_SECONDS:
                    break
        except (RuntimeError, TrainingFailed) as error:
            return "fp32", f"auto: {lower} does not run here ({str(error).splitlines()[0]})"
    pairs = list(zip(*times))[1:]  # the first was to warm up
    gain = statistics.median(fp32 / low for fp32, low in pairs)  # a machine's speed may drift
    chosen = lower if gain >= WORTH else "fp32"
    return chosen, f"auto: {lower} steps took {1 / gain:.2f} of fp32's time in a trial"


def _seconds(
    model: nn.Module, task: Task, batch: Batch, precision: Precision, runtime: Runtime
) -> float:
    """Seconds of one forward and backward pass."""
    runtime.synchronize()
    start = time.perf_counter()
    with precision.autocast():
        loss = task.step(model, batch).loss_sum
    loss.backward()
    if not torch.isfinite(loss):
        raise TrainingFailed("its loss is not finite")
    runtime.synchronize()
    model.zero_grad(set_to_none=True)
    return time.perf_counter() - start


def rescale_gradients(parameters: Iterable[nn.Parameter], factor: Tensor) -> None:
    """Multiply all gradients by a scalar, in one call."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    torch._foreach_mul_(gradients, factor)


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float | None) -> Tensor:
    """The norm of all gradients together, which is brought down to `limit` where it is above.

    As `clip_grad_norm_`, which knows no gradients that are sparse (of tables of vectors).
    """
    pairs = [(p, p.grad) for p in parameters if p.grad is not None]
    if not any(gradient.is_sparse for _, gradient in pairs):
        return nn.utils.clip_grad_norm_([p for p, _ in pairs], limit or float("inf"))
    values = []
    for p, gradient in pairs:
        if gradient.is_sparse:
            rows, sums = summed_rows(gradient)  # each row once
            p.grad = torch.sparse_coo_tensor(
                rows[None], sums, p.shape, is_coalesced=True, check_invariants=False
            )
            gradient = p.grad._values()
        values.append(gradient)
    norm = nn.utils.get_total_norm(values)
    if limit:
        torch._foreach_mul_(values, (limit / (norm + 1e-6)).clamp(max=1))
    return norm
