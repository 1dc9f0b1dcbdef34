"""Raw inputs to predict: paths and texts as a command line has them, and values of Python."""

import os
from collections.abc import Sequence
from typing import Any

import torch

from zoo.batch import Batch
from zoo.data.encoding import Encoding, Joins, ReadsNoted, ReadsValues
from zoo.errors import UserError
from zoo.files import user_path
from zoo.schema import describe_value


def read_inputs(encoding: Encoding, inputs: Sequence[Any]) -> tuple[list[str], Batch, list[str]]:
    """Names and stored form of the samples of all inputs, and notes on how they were understood.

    Args:
        encoding: Of the run.
        inputs: Each a path or a text that `Encoding.read` takes, or a value of Python.

    Raises:
        UserError: One cannot be read, or is nothing that the encoding takes.
    """
    names: list[str] = []
    batches: list[Batch] = []
    notes: dict[str, None] = {}
    for given in inputs:
        found, stored, said = _read(encoding, given)
        names += found
        batches.append(stored)
        notes |= dict.fromkeys(said)
    numbered = [name or f"input:{number}" for number, name in enumerate(names, start=1)]
    return numbered, _join(encoding, batches), list(notes)


def _read(encoding: Encoding, given: Any) -> tuple[list[str], Batch, list[str]]:
    if not isinstance(given, str | os.PathLike):
        if isinstance(encoding, ReadsValues):
            return encoding.read_value(given)
        raise UserError(f"input is {describe_value(given)}; the run takes {encoding.holds}")
    path = os.fspath(given)
    if path.startswith("~") and user_path(path).exists():
        path = str(user_path(path))
    if isinstance(encoding, ReadsNoted):
        return encoding.read_noted(path)
    return *encoding.read(path), []


def _join(encoding: Encoding, batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    if isinstance(encoding, Joins):
        return encoding.join(batches)
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
