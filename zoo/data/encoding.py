"""How raw input becomes model input: the contract of an encoding, and the register of all kinds.

A kind is a class of one of the packages below, or of a plugin:

    @ENCODINGS.register("image")
    class ImageEncoding:
        kind: ClassVar[str] = "image"
        holds: ClassVar[str] = "images"
        ...
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from zoo.batch import Batch
from zoo.data.tokenizers.base import Tokenizer
from zoo.errors import UserError
from zoo.registry import Registry

ENCODINGS = Registry("encoding", "zoo.data.images", "zoo.data.tables", "zoo.data.text")


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


E = TypeVar("E", bound=Encoding)


def load_encoding(json: dict[str, Any], plugins: Sequence[str] = ()) -> Encoding:
    """The encoding that `to_json` described.

    Args:
        json: As the run directory has it.
        plugins: Modules that the run was trained with, one of which may register its kind.

    Raises:
        UserError: The kind is not known, or fields are missing.
    """
    kind = json.get("kind")
    if kind not in ENCODINGS.names():
        hint = "if a plugin registers it, add plugins=[<its module>]"
        if plugins:
            listed = ",".join(plugins)
            hint = f"the run was trained with plugins: if you trust them, add plugins=[{listed}]"
        known = ", ".join(ENCODINGS.names())
        raise UserError(f"encoding of unknown kind {kind!r} (one of: {known}); {hint}")
    try:
        encoding_class: Any = ENCODINGS[kind].builder
        return encoding_class.from_json(json)
    except (TypeError, KeyError) as error:
        raise UserError(f"the run's {kind} encoding is damaged: {error}") from error


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
    """For each class of the data, its number in the run.

    Raises:
        UserError: The run was not trained on one of the classes.
    """
    if any(name not in trained for name in names):
        raise UserError(
            f"the data has {len(names)} classes ({_first_few(names)}), the run was trained on "
            f"{len(trained)} ({_first_few(trained)}); evaluate on data of the same classes"
        )
    return [list(trained).index(name) for name in names]


def _first_few(names: Sequence[str], limit: int = 3) -> str:
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")
