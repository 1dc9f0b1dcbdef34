"""Load weights into a model: all of them, except what the user skips or lets be resized."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import torch
from torch import Tensor, nn

from zoo.adapters.quantised import quantised_layers
from zoo.errors import UserError
from zoo.phrases import first_few
from zoo.text_table import text_table
from zoo.training.checkpoint import untied
from zoo.weights.family import Joined
from zoo.weights.files import Tensors
from zoo.weights.mapped import drop_pages, release_freed

SHOWN = 3
BY_TOKEN, FEW = ("embedding", "head"), 16  # with many more rows it is another vocabulary
PIECE = 2**23  # numbers that are copied at a time
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


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
        errors: Relative errors of those that are held in few bits.
    """

    loaded: list[str] = field(default_factory=list)
    resized: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)

    def table(self) -> str:
        """A row for each kind that there is."""
        rows = [("weights", "tensors", "such as")]
        for kind, names in vars(self).items():
            if names and kind != "errors":
                examples = first_few(names, SHOWN) if kind != "loaded" else ""
                rows.append((kind, str(len(names)), examples))
        if self.errors:
            worst = f"relative error {max(self.errors.values()):.2%} at most"
            rows.append(("in few bits", str(len(self.errors)), worst))
        return text_table(rows)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is, lies below, or (with `*`) looks like one of the patterns."""
    return any(
        name == pattern or name.startswith(f"{pattern}.") or fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
    )


def load_weights(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    where: str,
    skip: Sequence[str],
    resize: Sequence[str],
) -> Report:
    """Fill a model.

    Args:
        model: Changed in place.
        tensors: By its names; of tied weights one name is enough. One is read after another.
        where: They came from, for messages.
        skip: Modules or parameters (`head`, `blocks.0`, `*.bias`) that keep their initial values.
        resize: Those that may differ in shape: rows and columns that both have are copied.

    Raises:
        UserError: Anything missing, unexpected or of another shape that neither option names; a
            pattern that matches nothing.
    """
    state = model.state_dict()
    packed = {f"{name}.weight": layer for name, layer in quantised_layers(model).items()}
    unfilled = {n: torch.empty(q.shape, dtype=q.dtype, device="meta") for n, q in packed.items()}
    expected = untied(state) | unfilled
    state |= unfilled
    for option, patterns in (("skip", skip), ("resize", resize)):
        for pattern in patterns:
            if not any(matches(name, [pattern]) for name in (*state, *tensors)):
                raise UserError(f"init.{option}: '{pattern}' matches no parameter")
    report = _compared(expected, tensors, skip, resize)
    report.unexpected = [n for n in tensors if n not in state and not matches(n, skip)]
    _refuse(report, where, state, tensors)
    with torch.no_grad():
        for name in report.loaded + report.resized:
            own = torch.empty_like(state[name], device="cpu") if name in packed else state[name]
            _fill(name, own, tensors[name], where)
            if name in packed:
                report.errors[name] = packed[name].hold(own)
                del own
                release_freed()
    return report


def _compared(
    expected: Tensors, tensors: Mapping[str, Tensor], skip: Sequence[str], resize: Sequence[str]
) -> Report:
    """What will become of each tensor of the model."""
    report = Report()
    for name, tensor in expected.items():
        if matches(name, skip):
            report.skipped.append(name)
        elif name not in tensors:
            if not name.endswith("num_batches_tracked"):  # older files have none
                report.missing.append(name)
        elif _size(tensors, name) == tensor.shape:
            report.loaded.append(name)
        elif matches(name, resize) and len(_size(tensors, name)) == tensor.ndim:
            report.resized.append(name)
        else:
            report.reshaped.append(name)
    return report


def _size(tensors: Mapping[str, Tensor], name: str) -> torch.Size:
    """The shape of a tensor, which is not read for it."""
    return tensors.shape(name) if isinstance(tensors, Joined) else tensors[name].shape


def _fill(name: str, own: Tensor, given: Tensor, where: str) -> None:
    """Copy the rows and columns that both have, some rows at a time.

    Raises:
        UserError: Quantised numbers, whose scales are elsewhere; NaN or infinity.
    """
    if own.is_floating_point() and given.dtype not in FLOATS:
        raise UserError(
            f"init.from={where}: {name} is {str(given.dtype).removeprefix('torch.')}: "
            f"quantised weights are not read; take those in 16 or 32 bits"
        )
    overlap = tuple(slice(min(sizes)) for sizes in zip(own.shape, given.shape, strict=True))
    own, given = own[overlap], given[overlap]
    rows = max(1, PIECE * len(own) // max(1, own.numel())) if own.ndim else 0
    pieces = zip(own.split(rows), given.split(rows), strict=True) if rows else [(own, given)]
    for mine, piece in pieces:
        if own.is_floating_point() and not piece.to(own.dtype).isfinite().all():
            raise UserError(
                f"init.from={where}: {name} holds values that are not finite (NaN or "
                f"infinity); the file is damaged, or its training failed"
            )
        mine.copy_(piece)
        drop_pages()


def _refuse(report: Report, where: str, state: Tensors, tensors: Mapping[str, Tensor]) -> None:
    """Raise where anything does not fit, with the options that would let it."""
    reshaped = [
        f"{name} {_shape(tensors[name])} for {_shape(state[name])}" for name in report.reshaped
    ]
    kinds = {"missing": report.missing, "unexpected": report.unexpected, "reshaped": reshaped}
    wrong = []
    for kind, names in kinds.items():
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            wrong.append(f"{kind}: {', '.join(names[:SHOWN])}{more}")
    if wrong:
        raise UserError(
            f"init.from={where} does not fit the model ({len(report.loaded)} tensors fit; "
            f"{'; '.join(wrong)}); {_remedy(report, state, tensors)}"
        )


def _remedy(report: Report, state: Tensors, tensors: Mapping[str, Tensor]) -> str:
    """Options that make the weights fit, where these keep most of the model."""
    grown = [name for name in report.reshaped if _adds_rows(name, state[name], tensors[name])]
    parts = _parts([*report.missing, *report.unexpected, *report.reshaped], report.loaded)
    left_out = [n for n in report.missing + report.reshaped if matches(n, parts)]
    if len(left_out) > len(report.loaded):
        return (
            "most of the model would be left out: leave its sizes (model.width, model.depth, ...) "
            "to the weights, or take other weights"
        )
    skipped = f"init.skip=[{','.join(parts)}] keeps initial values"
    if not grown:
        return skipped
    rest = _parts([n for n in (*report.missing, *report.unexpected, *report.reshaped)
                   if n not in grown], report.loaded)  # fmt: skip
    both = f"init.resize=[{','.join(_parts(grown, report.loaded))}]"
    both += f" init.skip=[{','.join(rest)}]" if rest else ""
    return f"{skipped}; {both} keeps the trained rows and adds others"


def _parts(names: list[str], loaded: Sequence[str]) -> list[str]:
    """The modules that names belong to: the largest ones of which nothing is loaded (`head`,
    `blocks.11`, `generator.embedding`)."""
    used = {part for name in loaded for part in _prefixes(name)}
    parts = (next((p for p in _prefixes(name) if p not in used), name) for name in names)
    return list(dict.fromkeys(parts))


def _prefixes(name: str) -> list[str]:
    """`a`, `a.b` and `a.b.c` of `a.b.c`."""
    return list(accumulate(name.split("."), lambda above, part: f"{above}.{part}"))


def _adds_rows(name: str, own: Tensor, given: Tensor) -> bool:
    """Whether the model has some more positions, or tokens of one vocabulary; nothing is cut."""
    added = len(own) - len(given)
    if own.ndim != given.ndim or own.shape[1:] != given.shape[1:] or added < 0:
        return False
    part = name.split(".")[0]
    return part == "position" or part in BY_TOKEN and added <= FEW + len(given) // 8


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
