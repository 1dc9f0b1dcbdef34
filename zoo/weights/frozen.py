"""Models of which all weights are read and none is trained: in few bits, not initialised."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
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
        """The call, unless it fills a tensor at random."""
        if getattr(func, "__name__", "") in RANDOM:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def frozen_format(init: InitConfig) -> Iterator[None]:
    """With `init.dtype`, models that are built within have their weights in that format; with it or
    `init.quantize` they are without values: all are loaded, since none may be initialised again."""
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
