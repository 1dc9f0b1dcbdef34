"""Load weights into a model: all of them, except what the user skips or lets be resized."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.text_table import text_table
from zoo.training.checkpoint import untied
from zoo.weights.files import Tensors

SHOWN = 3


@dataclass
class Report:
    """The outcome for each tensor, by name.

    Attributes:
        loaded: Filled from the weights.
        resized: Filled where both shapes overlap, by `init.resize`.
        skipped: Left at their initial values, by `init.skip`.
        missing: In the model, but not in the weights.
        unexpected: In the weights, but not in the model.
        reshaped: In both, of different shapes.
    """

    loaded: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)

    def table(self) -> str:
        """A row for each kind that there is."""
        rows = [("weights", "tensors", "such as")]
        for kind, names in vars(self).items():
            if names:
                examples = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
                rows.append((kind, str(len(names)), examples if kind != "loaded" else ""))
        return text_table(rows)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is, lies below, or (with `*`) looks like one of the patterns."""
    return any(
        name == pattern or name.startswith(f"{pattern}.") or fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


def load_weights(
    model: nn.Module, tensors: Tensors, where: str, skip: Sequence[str], resize: Sequence[str]
) -> Report:
    """Fill a model.

    Args:
        model: Changed in place.
        tensors: By its names; of tied weights one name is enough.
        where: They came from, for messages.
        skip: Modules or parameters (`head`, `blocks.0`, `*.bias`) that keep their initial values.
        resize: Those that may differ in shape: rows and columns that both have are copied.

    Raises:
        UserError: Anything missing, unexpected or of another shape that neither option names; a
            pattern that matches nothing.
    """
    state, report = model.state_dict(), Report()
    expected = untied(state)
    for option, patterns in (("skip", skip), ("resize", resize)):
        for pattern in patterns:
            if not any(matches(name, [pattern]) for name in (*state, *tensors)):
                raise UserError(f"init.{option}: '{pattern}' matches no parameter")
    for name, tensor in expected.items():
        if matches(name, skip):
            report.skipped.append(name)
        elif name not in tensors:
            if not name.endswith("num_batches_tracked"):  # older files have none
                report.missing.append(name)
        elif tensors[name].shape == tensor.shape:
            report.loaded.append(name)
        elif matches(name, resize) and tensors[name].ndim == tensor.ndim:
            report.resized.append(name)
        else:
            report.reshaped.append(f"{name} {_shape(tensors[name])} for {_shape(tensor)}")
    for name in tensors:
        if name not in state and not matches(name, skip):
            report.unexpected.append(name)
    _refuse(report, where)
    with torch.no_grad():
        for name in report.loaded:
            state[name].copy_(tensors[name])
        for name in report.resized:
            shapes = zip(state[name].shape, tensors[name].shape, strict=True)
            overlap = tuple(slice(min(sizes)) for sizes in shapes)
            state[name][overlap].copy_(tensors[name][overlap])
    return report


def _refuse(report: Report, where: str) -> None:
    wrong = []
    kinds = ("missing", report.missing), ("unexpected", report.unexpected)
    for kind, names in (*kinds, ("reshaped", report.reshaped)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            wrong.append(f"{kind}: {', '.join(names[:SHOWN])}{more}")
    if not wrong:
        return
    first = (report.missing + report.unexpected + report.reshaped)[0].split()[0]
    raise UserError(
        f"init.from={where} does not fit the model ({len(report.loaded)} tensors fit; "
        f"{'; '.join(wrong)}); keep initial values with init.skip=[{first.split('.')[0]}], copy "
        f"what both have with init.resize=[...]"
    )


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
