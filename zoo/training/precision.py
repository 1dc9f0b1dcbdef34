"""Number formats: fp32, bf16 or fp16 arithmetic over fp32 weights, and the rule that chooses."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.optim.row_adagrad import summed_rows
from zoo.training.products import Products
from zoo.training.runtime import Runtime, available

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
FORMATS = ("fp32", *DTYPES)
# Where bf16 pays on a CPU: `python scripts/benchmark.py precision` compares with what is measured.
MIN_SIZE = 2 * 256**3  # FLOP of a matrix product on average: two matrices of 256 x 256
MIN_SHARE = 32  # FLOP in matrix products for each number that the forward pass writes


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


def choose_precision(name: str, runtime: Runtime, count: Callable[[], Products]) -> tuple[str, str]:
    """The precision to train in, and why.

    `auto` is decided by a rule, so that the same command always trains in the same format: bf16 on
    a GPU that computes in it; on a processor that multiplies bf16 matrices, where the model's
    matrix products are large on average (`MIN_SIZE`) and most of its work (`MIN_SHARE`); else fp32.
    All ranks take rank 0's choice.

    Args:
        name: As configured.
        runtime: The device and the ranks.
        count: Counts the matrix products of a forward pass; called where the rule needs them.

    Raises:
        UserError: A precision that the device lacks.
    """
    if name != "auto":
        _check(name, runtime.device)
        return name, "set explicitly"
    if asks_for_products(runtime):
        chosen, reason = _by_products(count())
    elif has_bf16(runtime.device):
        chosen, reason = "bf16", f"this {runtime.device.type} device computes in bf16"
    else:
        chosen, reason = "fp32", f"this {runtime.device.type} device does not compute in bf16"
    return runtime.first((chosen, f"auto: {reason}"))


def asks_for_products(runtime: Runtime) -> bool:
    """Whether `auto` depends on the model's matrix products here; the same on every rank."""
    return bool(runtime.first(runtime.device.type == "cpu" and has_bf16(runtime.device)))


def _by_products(products: Products) -> tuple[str, str]:
    if products.size < MIN_SIZE:
        return "fp32", "matrix products too small to gain from bf16"
    if products.share < MIN_SHARE:
        return "fp32", "matrix products too small a part of the work for bf16"
    return "bf16", "matrix products large enough to gain from it"


def has_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bf16, rather than emulating it.

    An x86 processor multiplies bf16 matrices by AMX or AVX512_BF16. Others, and Apple's GPUs, were
    not measured: they count as having none.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "xpu":
        return torch.xpu.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False


def _check(name: str, device: torch.device) -> None:
    if name == "fp16" and device.type == "cpu":
        raise UserError(
            "trainer.precision=fp16: a CPU gains nothing from fp16; use bf16, auto or fp32"
        )
    if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise UserError("trainer.precision=bf16: this GPU lacks bf16; use fp16, auto or fp32")
    assert available(device.type)


def rescale_gradients(parameters: Iterable[nn.Parameter], factor: Tensor) -> None:
    """Multiply all gradients by a scalar, in one call."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    torch._foreach_mul_(gradients, factor)


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float | None) -> Tensor:
    """Clip the norm of all gradients together to `limit`; return the norm before.

    As `clip_grad_norm_`, which does not take sparse gradients (of embeddings).
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
