"""Linear layers whose frozen weights are held in 8 or 4 bits, for adapters on them (QLoRA).

Dettmers et al., 2023, https://arxiv.org/abs/2305.14314. The formats are torchao's:

- `int8`: whole numbers from -128 to 127, with a scale for each row.
- `nf4`: the 16 values of 4-bit NormalFloat, quantiles of a normal distribution, with a scale for
  each 64 numbers; the scales are held in 8 bits themselves.

A weight is unpacked for each product, and again for the gradient of its input, so that only one is
whole at a time. (torchao's own products keep the unpacked weights for the backward pass.)
Differs from the paper: adapters are trained in float32, and optimizer states are not paged.
Shapes: N rows, I inputs, O outputs.
"""

import logging
import math
from typing import Any

import torch
from torch import Tensor, nn

from zoo.adapters.freeze import replace
from zoo.errors import UserError
from zoo.kernels import linear, no_autocast
from zoo.layers.linear import Linear
from zoo.naming import in_head

BLOCK, SCALES = 64, 256  # of nf4: numbers that share a scale, scales that share one of theirs
NOT_HELD = 0.25  # relative error of a weight that a format does not hold; of nf4 it is 0.09


class QuantisedLinear(nn.Module):
    """x W^T + b, with W in few bits; `hold` gives it.

    Args:
        layer: The linear layer that it takes the place of.
        form: `int8` or `nf4`.
    """

    def __init__(self, layer: nn.Linear, form: str) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.bias, self.dtype, self.form = layer.bias, layer.weight.dtype, form
        self.packed_names: list[str] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Of the weight."""
        return self.out_features, self.in_features

    @property
    def packed_numbers(self) -> int:
        """How many numbers are held that are no parameters."""
        return math.prod(self.shape)

    def hold(self, weight: Tensor) -> float:
        """Pack a weight, (O, I); returns its relative error.

        Raises:
            UserError: The format does not hold it.
        """
        exact = weight.detach().float().contiguous()
        packed = _pack(exact, self.form)
        self.packed_names, self.context = packed.__tensor_flatten__()
        self.kind = type(packed)
        for name in self.packed_names:  # as plain tensors, which know every device and file
            self.register_buffer(f"packed_{name}", getattr(packed, name))
        size = exact.norm().item()
        error = (self.unpacked(torch.float32) - exact).norm().item() / (size or 1.0)
        if not error < NOT_HELD:  # NaN too
            raise UserError(
                f"init.quantize={self.form} does not hold a weight of {self.out_features} x "
                f"{self.in_features} (relative error {error:.2f}); leave it out, or take int8"
            )
        return error

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        """W, (O, I)."""
        parts = {name: getattr(self, f"packed_{name}") for name in self.packed_names}
        with no_autocast(next(iter(parts.values()))):
            packed: Any = self.kind.__tensor_unflatten__(parts, self.context, None, None)
            whole = packed.dequantize() if self.form == "int8" else packed.get_original_weight()
            return whole.to(dtype)

    @property
    def weight(self) -> Tensor:
        """W in the model's own type, (O, I)."""
        return self.unpacked(self.dtype)

    def product(self, x: Tensor) -> Tensor:
        """x W^T: (N, I) to (N, O)."""
        device = x.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            x = x.to(torch.get_autocast_dtype(device))
        product: Tensor = _Product.apply(x, self)
        return product

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        y = self.product(x.reshape(-1, self.in_features))
        y = y if self.bias is None else y + self.bias.to(y.dtype)
        return y.view(*x.shape[:-1], self.out_features)

    def whole(self, weight: Tensor) -> Linear:
        """A layer in its place with a weight that is a parameter again."""
        with torch.device("meta"):
            layer = Linear(self.in_features, self.out_features, bias=False)
        layer.weight, layer.bias = nn.Parameter(weight, requires_grad=False), self.bias
        return layer


class _Product(torch.autograd.Function):
    """x W^T for a weight without a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: QuantisedLinear) -> Tensor:
        ctx.layer = layer
        return linear(x, layer.unpacked(x.dtype))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None]:
        return grad_output @ ctx.layer.unpacked(grad_output.dtype), None


def _pack(weight: Tensor, form: str) -> Any:
    """A weight, float32 (O, I), as torchao's tensor.

    Raises:
        UserError: nf4 of numbers that do not fill its blocks.
    """
    torchao = import_torchao()
    if form == "int8":
        return torchao.Int8Tensor.from_hp(weight, torchao.PerRow())
    blocks, rest = divmod(weight.numel(), BLOCK)
    if rest:
        raise UserError(
            f"init.quantize=nf4: a weight of {weight.shape[0]} x {weight.shape[1]} does not fill "
            f"blocks of {BLOCK} numbers; take init.quantize=int8"
        )
    return torchao.NF4Tensor.from_tensor(weight, BLOCK, math.gcd(blocks, SCALES))


def import_torchao() -> Any:
    """The module `torchao.quantization`, without its notes on kernels that are not used here.

    Raises:
        UserError: It is not installed.
    """
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        import torchao.quantization
    except ImportError:
        raise UserError("init.quantize needs torchao: pip install torchao") from None
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    return torchao.quantization


def quantised_layers(model: nn.Module) -> dict[str, QuantisedLinear]:
    """Those of a model, by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, QuantisedLinear)}


def quantise(model: nn.Module, form: str) -> None:
    """Let linear layers hold their weights in few bits, as yet without any; but not the head, nor
    what chooses experts, where small errors change much.

    Raises:
        UserError: There is no such layer, or no torchao.
    """
    import_torchao()
    weights = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear)
        and type(layer) in (Linear, nn.Linear)
        and not in_head(name)
        and not name.endswith("router")
        and weights.count(id(layer.weight)) == 1  # not tied to another
    }
    if not layers:
        raise UserError(f"init.quantize={form}: the model has no linear layer but its head")
    for name, layer in layers.items():
        replace(model, name, QuantisedLinear(layer, form))
