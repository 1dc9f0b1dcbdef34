"""A case of a comparison in a process of its own, so that no side profits from another's setup.

Zoo's starts as train.py does, the others' with torch's defaults.
"""

import contextlib
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection

from benchmarks.interleave import Case

MakeCase = Callable[[str], Case]  # from a precision


class IsolatedCase:
    """A case that a spawned process sets up once and runs each time that it is called.

    Args:
        make: A function of a module, which makes the case from a precision.
        precision: For `make`.
        threads: That torch may use there.
    """

    def __init__(self, make: MakeCase, precision: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, child = context.Pipe()
        arguments = (child, make, precision, threads)
        context.Process(target=_serve, args=arguments, daemon=True).start()
        self._connection.recv()  # ready: its setup had the machine to itself

    def __call__(self) -> float:
        """The case's measurement."""
        return self._request("run")

    def peak_memory(self) -> float:
        """The most memory that the process has held so far, in MB."""
        return self._request("peak_memory")

    def _request(self, request: str) -> float:
        self._connection.send(request)
        return float(self._connection.recv())


def _serve(connection: Connection, make: MakeCase, precision: str, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    case = make(precision)
    connection.send("ready")
    with contextlib.suppress(EOFError):  # the other end has closed
        while True:
            request = connection.recv()
            connection.send(case() if request == "run" else _peak_memory())


def _peak_memory() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
