"""Models of which all weights are read and none is trained: in few bits, not initialised."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from zoo.adapters.quantised import import_torchao, quantise
from zoo.config.run import InitConfig
from zoo.errors import UserError
from zoo.weights.mapped import return_freed_at_once

DTYPES = {"bf16": torch.bfloat16}
RANDOM = ("normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_", "trunc_normal_")


class Uninitialised(TorchFunctionMode):
    """Within it, no tensor is filled with random numbers: in 16 bits that takes time, and twice as
    much memory for a moment."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """The call, unless it fills a tensor at random, or makes random columns orthogonal."""
        name = getattr(func, "__name__", "")
        if name in RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        if name == "linalg_qr":  # of `orthogonal_`; not implemented in 16 bits
            return args[0], args[0]
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def frozen_format(init: InitConfig, facts: Mapping[str, Any] | None = None) -> Iterator[None]:
    """With `init.dtype`, models that are built within have their weights in that format; with it or
    `init.quantize` they are without values: all are loaded, since none may be initialised again.

    Args:
        init: The settings.
        facts: Of the data, to check; None where they are known to fit.

    Raises:
        UserError: `init.dtype`, and the data are images or tables: 32-bit numbers, which layers in
            16 bits do not take.
    """
    if init.dtype and facts and ("input_shape" in facts or "vocab_size" not in facts):
        raise UserError(
            f"init.dtype={init.dtype} is for models that read text alone: images and tables are "
            f"numbers in 32 bits; leave it out"
        )
    if init.dtype is None and init.quantize is None:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[init.dtype] if init.dtype else before)
    try:
        with Uninitialised():
            yield
    finally:
        torch.set_default_dtype(before)


def pack_frozen(model: nn.Module, init: InitConfig) -> None:
    """With `init.quantize`, let linear layers pack their weights when these are read."""
    if init.quantize:
        return_freed_at_once()
        quantise(model, init.quantize)


def check_frozen(init: InitConfig, adapter: str, fresh: Sequence[str] = ()) -> None:
    """Check what `init.dtype` and `init.quantize` ask for.

    Args:
        init: The settings.
        adapter: The name of the adapter.
        fresh: Parameters that are initialised and trained.

    Raises:
        UserError: Weights in few bits would be trained; there is no torchao.
    """
    for key, value in (("quantize", init.quantize), ("dtype", init.dtype)):
        if value and adapter != "lora":
            raise UserError(
                f"init.{key}={value} is for the frozen weights of adapter=lora, got adapter="
                f"{adapter}: most steps of training are too small for weights in so few bits"
            )
        if value and fresh:
            raise UserError(
                f"init.{key}={value} holds frozen weights, and {fresh[0]} is initialised; leave "
                f"one of the two out"
            )
    if init.quantize:
        import_torchao()
