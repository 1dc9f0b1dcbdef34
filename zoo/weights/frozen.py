"""Models of which all weights are read and none is trained: in 16 bits, not initialised."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from zoo.config.run import InitConfig

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
    """With `init.dtype`, models that are built within have their weights in that format, without
    values: all are loaded, since none may be trained anew."""
    if init.dtype is None:
        yield
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[init.dtype])
    try:
        with Uninitialised():
            yield
    finally:
        torch.set_default_dtype(before)
