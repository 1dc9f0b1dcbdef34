"""Running out of memory: how it is recognised, and what to do about it."""

import torch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up: a GPU's, or the processor's."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "memory" in first_line(error)


def first_line(error: BaseException) -> str:
    """Of a message that may be a page long."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
