"""Importing many modules quickly, and the user's own modules."""

import contextlib
import gc
import importlib
import importlib.machinery
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

    Those in the current folder come first, and what they import when they run is found there too.

    Raises:
        UserError: A module that cannot be imported, or of whose name another one is imported.
    """
    folder = str(Path.cwd())
    for name in modules:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"plugins: got {name!r}, expected names of modules: [my_models]")
        _check_is_here(name, folder)
        sys.path.insert(0, folder)
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"plugins: cannot import '{name}' ({error}); is it in this folder or on PYTHONPATH?"
            ) from None
        finally:
            with contextlib.suppress(ValueError):  # the module may have changed the path itself
                sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)


def _check_is_here(name: str, folder: str) -> None:
    """Raise where the folder has a module of this name, and this process another one: Python would
    take that one, without a word."""
    top = name.partition(".")[0]
    imported = getattr(sys.modules.get(top), "__file__", None)
    importlib.invalidate_caches()  # files may have been written since
    here = importlib.machinery.PathFinder.find_spec(top, [folder])
    origin = here.origin if here else None
    if imported and origin and Path(origin).resolve() != Path(imported).resolve():
        raise UserError(
            f"plugins: this folder has a module '{top}', and {imported} of the same name is "
            f"imported already; rename it, or start another process"
        )
