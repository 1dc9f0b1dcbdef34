"""The matrix products of a forward pass, counted: what the choice of a number format goes by."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@dataclass
class Products:
    """What the operations of a forward pass compute.

    Attributes:
        count: Matrix products; convolutions and attention are such products as well.
        flops: Floating-point operations in them.
        numbers: Floating-point numbers that all operations write.
    """

    count: int = 0
    flops: int = 0
    numbers: int = 0

    @property
    def size(self) -> float:
        """Floating-point operations of a product on average."""
        return self.flops / max(1, self.count)

    @property
    def share(self) -> float:
        """Floating-point operations in products for each number that is written."""
        return self.flops / max(1, self.numbers)


class ProductCounter(TorchDispatchMode):
    """Counts in `products` what is computed while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.products = Products()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        if flops := _flops(func, args, kwargs or {}, output):
            self.products.count += 1
            self.products.flops += flops
        if not func.is_view:
            outputs = output if isinstance(output, tuple | list) else (output,)
            written = (t for t in outputs if isinstance(t, Tensor) and t.is_floating_point())
            self.products.numbers += sum(tensor.numel() for tensor in written)
        return output


def _flops(func: Any, args: tuple[Any, ...], kwargs: Any, output: Any) -> int:
    """Floating-point operations of a product, 0 of another operation.

    torch's list lacks what only CPUs have: oneDNN's linear layer and LSTM, fused attention.
    """
    if func._overloadpacket in flop_registry:
        return int(flop_registry[func._overloadpacket](*args, **kwargs, out_val=output))
    name = func._schema.name
    if name == "mkldnn::_linear_pointwise":  # x (..., I), weight (O, I)
        return 2 * args[0].numel() * args[1].shape[0]
    if name == "aten::_grouped_mm" and len(args[1].shape) == 3:  # x (M, I), weights (E, I, O)
        return 2 * args[0].numel() * args[1].shape[-1]
    if name == "aten::mkldnn_rnn_layer":  # x (T, B, I), weights (4 D, I) and (4 D, D)
        return 2 * math.prod(args[0].shape[:2]) * (args[1].numel() + args[2].numel())
    if (
        name == "aten::_scaled_dot_product_flash_attention_for_cpu"
    ):  # q (B, H, T, E), k (B, H, S, E)
        return 4 * args[0].numel() * args[1].shape[-2]
    return 0
