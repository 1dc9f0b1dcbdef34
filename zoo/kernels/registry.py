"""An operation has one reference, which defines it, and faster implementations for some arguments.

    @kernel(examples=gelu_examples)
    def gelu_tanh(x):                                     # the reference: read this one
        return F.gelu(x, approximate="tanh")

    @gelu_tanh.implementation(dtypes=..., supports=..., pays=...)      # zoo/kernels/cpu/gelu.py
    def gelu_tanh_saving_derivative(x): ...

A test holds every implementation to its reference, results and gradients, on the examples.
Environment variable `ZOO_KERNELS=reference` (or `with reference_kernels():`) uses the references
everywhere; so do torch.compile and torch.export, which generate kernels of their own.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from zoo.errors import UserError

VARIABLE = "ZOO_KERNELS"
AUTO, REFERENCE = "auto", "reference"
Arguments = tuple[Any, ...]
KERNELS: dict[str, "Kernel"] = {}


def _always(*arguments: Any, **options: Any) -> bool:
    return True


@dataclass(frozen=True)
class Implementation:
    """A faster way to compute a kernel for some arguments.

    Attributes:
        function: Computes the same as the reference.
        dtypes: Of floating-point arguments that it computes with; tests try each.
        supports: Whether it is correct for these arguments: their device, dtype, shape.
        pays: Whether it is faster for them, on this processor.
    """

    function: Callable[..., Any]
    dtypes: tuple[torch.dtype, ...]
    supports: Callable[..., bool]
    pays: Callable[..., bool] = _always

    @property
    def name(self) -> str:
        """For tests, tables, records of a run."""
        return self.function.__name__


class Kernel:
    """An operation: calls the first implementation that supports the arguments and pays, or else
    the reference.

    Args:
        reference: Defines the result.
        examples: Small arguments, the floating-point ones in float64, for tests to compare on.
        random: Whether the result is random: implementations then equal it in distribution.

    Attributes:
        used: Names of the implementations called so far; `reference` if that was called.
    """

    def __init__(
        self,
        reference: Callable[..., Any],
        examples: Callable[[], Iterable[Arguments]],
        random: bool = False,
    ) -> None:
        self.reference, self.examples, self.random = reference, examples, random
        self.name, self.__doc__ = reference.__name__, reference.__doc__
        self.implementations: list[Implementation] = []
        self.used: set[str] = set()

    def implementation(
        self,
        dtypes: tuple[torch.dtype, ...],
        supports: Callable[..., bool],
        pays: Callable[..., bool] = _always,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register a faster implementation: a decorator, arguments as in `Implementation`."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.implementations.append(Implementation(function, dtypes, supports, pays))
            return function

        return register

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The operation's result."""
        if torch.compiler.is_compiling():
            return self.reference(*arguments, **options)
        if not _references_only:
            for candidate in self.implementations:
                if not candidate.pays(*arguments, **options):
                    continue
                if candidate.supports(*arguments, **options):
                    self.used.add(candidate.function.__name__)
                    return candidate.function(*arguments, **options)
        self.used.add(REFERENCE)
        return self.reference(*arguments, **options)


def kernel(
    examples: Callable[[], Iterable[Arguments]], random: bool = False
) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a reference a `Kernel`, by its name in `KERNELS`: a decorator."""

    def register(reference: Callable[..., Any]) -> Kernel:
        KERNELS[reference.__name__] = Kernel(reference, examples, random)
        return KERNELS[reference.__name__]

    return register


def _choice_of_environment() -> str:
    choice = os.environ.get(VARIABLE) or AUTO
    if choice not in (AUTO, REFERENCE):
        raise UserError(f"{VARIABLE}={choice}: expected {AUTO} or {REFERENCE}")
    return choice


_references_only = _choice_of_environment() == REFERENCE


def kernel_choice() -> str:
    """`auto`, or `reference` if only the references are used."""
    return REFERENCE if _references_only else AUTO


def used_kernels() -> dict[str, list[str]]:
    """Names of the implementations called since `forget_used_kernels`, by operation."""
    return {name: sorted(kernel.used) for name, kernel in KERNELS.items() if kernel.used}


def forget_used_kernels() -> None:
    """Reset `used_kernels`, at the start of a run."""
    for kernel in KERNELS.values():
        kernel.used.clear()


@contextlib.contextmanager
def reference_kernels() -> Iterator[None]:
    """Use only the references inside the `with` block."""
    global _references_only
    before, _references_only = _references_only, True
    try:
        yield
    finally:
        _references_only = before
