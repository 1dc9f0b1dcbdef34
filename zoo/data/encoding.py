"""How raw input becomes model input: the contract of an encoding, and the register of all kinds.

A kind is a class of one of the packages below, or of a plugin:

    @ENCODINGS.register("image")
    class ImageEncoding:
        kind: ClassVar[str] = "image"
        holds: ClassVar[str] = "images"
        ...
"""

import math
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from zoo.batch import Batch
from zoo.data.tokenizers.base import Tokenizer
from zoo.errors import UserError, closest_match
from zoo.phrases import first_few, plural
from zoo.registry import Registry
from zoo.schema import describe_value, matches_type, parameters, type_mismatch

ABOVE_ZERO = {"std", "length", "max_length", "size", "channels"}  # fields of encodings
ENCODINGS = Registry(
    "encoding", "zoo.data.images", "zoo.data.sequences", "zoo.data.tables", "zoo.data.text"
)


class Encoding(Protocol):
    """How a raw input (an image file, a row of a table) becomes what the model takes.

    Fitted on the training rows and kept in the run directory as JSON, so that evaluation and
    prediction on other files need nothing but the run. Its class also has
    `from_json(json) -> Encoding`, the inverse of `to_json`.

    Attributes:
        kind: The name under which the class is registered.
        holds: Name of the samples, for messages: "images".
        tokenizer: Of texts; None where there are none.
        runtime_facts: Facts that are objects and have no place in JSON, such as the tokenizer.
    """

    kind: ClassVar[str]
    holds: ClassVar[str]

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Text to ids and back; None where the data is no text."""
        ...

    @property
    def runtime_facts(self) -> dict[str, Any]:
        """Facts that are objects, such as the tokenizer, and so not in dataset.json."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Everything needed to rebuild this encoding, its `kind` among it."""
        ...

    def prepare(self, batch: Batch) -> Batch:
        """Stored form to model input, on the batch's device (bytes to standardised floats)."""
        ...

    def read(self, path: str) -> tuple[list[str], Batch]:
        """Names and stored-form batch of the input at `path`: a file, a folder, a table."""
        ...


@runtime_checkable
class ReadsNoted(Protocol):
    """An encoding that says how it understood an input, in lines for the user."""

    def read_noted(self, path: str) -> tuple[list[str], Batch, list[str]]:
        """As `Encoding.read`, and notes."""
        ...


@runtime_checkable
class ReadsValues(Protocol):
    """An encoding that takes values of Python besides paths and texts."""

    def read_value(self, value: Any) -> tuple[list[str], Batch, list[str]]:
        """As `ReadsNoted.read_noted`, of a value; a sample without a name has an empty one.

        Raises:
            UserError: It is of a kind that the encoding does not take.
        """
        ...


@runtime_checkable
class Joins(Protocol):
    """An encoding whose stored batches are not of one shape, such as texts of several lengths."""

    def join(self, batches: Sequence[Batch]) -> Batch:
        """Stored-form batches as one."""
        ...


E = TypeVar("E", bound=Encoding)
F = TypeVar("F")


def load_encoding(json: dict[str, Any], plugins: Sequence[str] = ()) -> Encoding:
    """The encoding that `to_json` described.

    Args:
        json: As the run directory has it.
        plugins: Modules that the run was trained with, one of which may register its kind.

    Raises:
        UserError: The kind is not known, or fields are missing.
    """
    if not isinstance(json, dict):
        raise UserError(f"the run's encoding is {describe_value(json)}, expected an object")
    kind = json.get("kind")
    if not isinstance(kind, str) or kind not in ENCODINGS.names():
        hint = "if a plugin registers it, add plugins=[<its module>]"
        if plugins:
            listed = ",".join(plugins)
            hint = f"the run was trained with plugins: if you trust them, add plugins=[{listed}]"
        known = ", ".join(ENCODINGS.names())
        raise UserError(f"encoding of unknown kind {kind!r} (one of: {known}); {hint}")
    try:
        encoding_class: Any = ENCODINGS[kind].builder
        encoding: Encoding = encoding_class.from_json(json)
        if is_dataclass(encoding):
            for name, parameter in parameters(type(encoding)).items():
                _check_field(getattr(encoding, name), parameter.annotation, name)
        return encoding
    except KeyError as error:
        raise UserError(f"the run's {kind} encoding is damaged: {error} is missing") from error
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(f"the run's {kind} encoding is damaged: {error}") from error


def from_fields(kind: type[F], json: Any, where: str) -> F:
    """A dataclass from the JSON of its fields; those that have defaults may be missing.

    Args:
        kind: The dataclass.
        json: Its fields by name.
        where: Their place, for messages.

    Raises:
        ValueError: No object; an unknown or missing field, or one of a wrong type; a number that is
            not finite; a standard deviation that is not above 0.
    """
    if not isinstance(json, dict):
        raise ValueError(f"{where} is {describe_value(json)}, expected an object")
    schema = parameters(kind)
    if unknown := next((name for name in json if name not in schema), None):
        raise ValueError(f"{where}.{unknown} is unknown, perhaps of a later version")
    needed = (name for name, p in schema.items() if p.default is p.empty)
    if missing := next((name for name in needed if name not in json), None):
        raise ValueError(f"{where}.{missing} is missing")
    return kind(**{n: _field(v, schema[n].annotation, f"{where}.{n}") for n, v in json.items()})


def _field(value: Any, annotation: Any, name: str) -> Any:
    if is_dataclass(annotation) and isinstance(annotation, type):
        return from_fields(annotation, value, name)
    _check_field(value, annotation, name)
    return tuple(value) if isinstance(value, list) else value


def _check_field(value: Any, annotation: Any, name: str) -> None:
    if not matches_type(value, annotation):
        raise ValueError(type_mismatch(name, value, annotation))
    for number in value if isinstance(value, list | tuple) else [value]:
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"{name} is {number}, expected a finite number")
        if name.rpartition(".")[2] in ABOVE_ZERO and not number > 0:
            raise ValueError(f"{name} is {number}, expected a number above 0")


def fitted(expected: type[E], encoding: Encoding | None) -> E | None:
    """A run's encoding, if one is given; it must be of the class that the data needs.

    Raises:
        UserError: It is of another class.
    """
    if encoding is None or isinstance(encoding, expected):
        return encoding
    raise UserError(
        f"the data holds {expected.holds}, the run was trained on {encoding.holds}; choose data "
        f"of that kind"
    )


def match_classes(names: Sequence[str], trained: Sequence[str]) -> list[int]:
    """For each class of the data, its number in the run; one alone may have any name.

    Raises:
        UserError: The run was not trained on one of the classes.
    """
    if len(names) == len(trained) == 1:
        return [0]
    if unknown := [name for name in names if name not in trained]:
        guess = closest_match(unknown[0], trained)
        hint = f"; did you mean '{guess}'?" if guess else ""
        number = plural(len(names), "class", "classes")
        raise UserError(
            f"the data has {number} ({first_few(names)}), the run was trained on {len(trained)} "
            f"({first_few(trained)}) and knows nothing of {first_few(unknown)}{hint}; give data "
            "of the same classes"
        )
    return [list(trained).index(name) for name in names]
