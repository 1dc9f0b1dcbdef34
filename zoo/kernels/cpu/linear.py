"""Linear layers whose products come from the quicker of torch's two libraries.

torch multiplies float32 matrices on x86 processors by MKL, which is Intel's. On AMD's with AVX-512
oneDNN, which torch has for its other formats, takes 0.7 to 0.85 of the time for a layer's output
and for the gradient of its input; MKL stays ahead for the gradient of the weights.
Shapes: N rows, I inputs, O outputs.
"""

from typing import Any

import torch
from torch import Tensor

from zoo.kernels.functional import linear as kernel


def is_amd_avx512() -> bool:
    """Whether this is such a processor: a rule, not a trial, so that runs repeat."""
    read = getattr(torch.cpu, "get_capabilities", dict)  # older torch has none
    capabilities: dict[str, Any] = read()
    name = str(capabilities.get("cpu_name", ""))
    return name.startswith("AMD") and bool(capabilities.get("avx512_f"))


AMD = is_amd_avx512()
ONEDNN: Any = None  # its product, where torch has it
if torch.backends.mkldnn.is_available():
    ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
DTYPES = (torch.float32,) if ONEDNN is not None else ()
MIN_PRODUCTS = 2**26  # N I O; smaller, its calls cost more than it saves


def _supports(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    return (
        x.dtype == weight.dtype
        and x.dtype in DTYPES
        and x.device.type == weight.device.type == "cpu"
        and not torch.is_autocast_enabled("cpu")
    )


def _large_on_amd(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    return AMD and x.numel() * weight.shape[0] >= MIN_PRODUCTS


@kernel.implementation(DTYPES, supports=_supports, pays=_large_on_amd)
def linear_by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Differentiable once."""
    return _Linear.apply(x, weight, bias)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """F.linear by oneDNN, without a gradient."""
    return ONEDNN(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        rows = grad_output.reshape(-1, grad_output.shape[-1])  # (N, O)
        return (
            _product(grad_output, weight.mT) if for_x else None,
            rows.mT @ x.reshape(len(rows), -1) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )
