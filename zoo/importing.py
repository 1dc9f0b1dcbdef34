"""Importing much at once."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Python does not look for garbage while modules make what stays, nor in that ever after: they
    load a tenth sooner, and forks of this process share it. Once: later there is garbage."""
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
