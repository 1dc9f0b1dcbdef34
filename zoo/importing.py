"""Importing many modules quickly, and the user's own modules."""

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.errors import UserError


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Import modules without garbage collection: they load a tenth sooner.

    Their objects are kept out of later collections too, so that forks of this process share it.
    Works once, while torch is not imported yet: afterwards there would be garbage to keep.
    """
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_plugins(modules: Iterable[str]) -> None:
    """Import the user's own modules, so that what they register has a name.

    Raises:
        UserError: A module that cannot be imported.
    """
    for name in modules:
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"plugins: got {name!r}, expected names of modules: [my_models]")
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"plugins: cannot import '{name}' ({error}); is it in this folder or on PYTHONPATH?"
            ) from None
