"""What a setting is declared to be, by its field or by the signature that takes it.

Signatures are read from the source: importing them would import torch.
"""

import ast
import functools
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zoo.config.run import types_of_settings
from zoo.schema import matches_type

ZOO = Path(__file__).resolve().parents[1]
PACKAGES = {  # of a group: where its builders are registered, what else takes its settings
    "model": ("models/*.py",),
    "data": ("data/datasets/*.py", "data/context.py", "data/splits.py", "data/tokenizers/*.py"),
    "task": ("tasks/*.py",),
    "adapter": ("adapters/*.py",),
    "optim": ("optim/*.py",),
    "schedule": ("optim/*.py",),
}
NAMES = {"str": str, "int": int, "float": float, "bool": bool, "None": type(None)}


def declared_type(key: str) -> Any:
    """The type of a setting by its dotted name; None for one that nothing of ours declares.

    A setting of several builders (`data.path`) has the types that all of them take.
    """
    if (known := types_of_settings().get(key)) is not None:
        return known
    group, _, option = key.partition(".")
    kinds = [_members(kind) for name, kind in _signatures(group) if name == option]
    if not kinds:
        return None
    common = [member for member in kinds[0] if all(member in members for members in kinds)]
    return typing.Union[tuple(common)] if common else Any  # noqa: UP007  # of a list of types


def takes_text(annotation: Any) -> bool:
    """Whether any text is a value of this type."""
    return annotation is not Any and str in _members(annotation)


def takes_texts(annotation: Any) -> bool:
    """Whether a list of any texts is a value of this type."""
    return list[str] in _members(annotation)


def fits(value: Any, annotation: Any) -> bool:
    """Whether a value as read is of this type, or of none that is known."""
    return annotation in (None, Any) or matches_type(value, annotation)


def _members(annotation: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


@functools.cache
def _signatures(group: str) -> list[tuple[str, Any]]:
    """The options of all builders of a group, and their types."""
    files = sorted(file for pattern in PACKAGES.get(group, ()) for file in ZOO.glob(pattern))
    nodes = [node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body]
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    options = (option for node in nodes for option in _options(node, classes))
    return [(name, _type(annotation)) for name, annotation in options]


def _options(node: ast.stmt, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, ast.expr]]:
    """The annotated parameters of a registered builder, or the fields of a dataclass."""
    decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
    if any(d.startswith("dataclass") for d in decorators):
        fields = [item for item in getattr(node, "body", []) if isinstance(item, ast.AnnAssign)]
        yield from ((ast.unparse(field.target), field.annotation) for field in fields)
    elif any(".register(" in d for d in decorators):
        function = _constructor(node, classes) if isinstance(node, ast.ClassDef) else node
        if isinstance(function, ast.FunctionDef):
            arguments = function.args.args + function.args.kwonlyargs
            yield from ((a.arg, a.annotation) for a in arguments if a.annotation)


def _constructor(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> ast.stmt | None:
    """The `__init__` of a class, or the one that it inherits."""
    own = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
    bases = [classes[name] for base in node.bases if (name := ast.unparse(base)) in classes]
    return next(iter(own), None) or (_constructor(bases[0], classes) if bases else None)


def _type(annotation: ast.expr) -> Any:
    """The type that an annotation of plain names means; Any for others, such as aliases."""
    parts, pending = [], [annotation]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.BinOp):
            pending += [part.right, part.left]
        elif (text := ast.unparse(part)) in NAMES:
            parts.append(NAMES[text])
        elif text == "list[str]":
            parts.append(list[str])
        else:
            parts.append(Any)
    return Any if Any in parts and str not in parts else typing.Union[tuple(parts)]  # noqa: UP007
