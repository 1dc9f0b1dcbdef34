"""How a published family of weights names the parameters that our models name otherwise.

A family is a table of links, each one parameter of our model and the published ones that it is
made of. It serves reading and writing alike, adapters included.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zoo.weights.fields import Fields

Tensors = dict[str, Tensor]
Settings = dict[str, Any]
Misfit = tuple[str, str]  # an option that a family cannot express, and one that it can
ACTIVATIONS = {  # published: ours; of several names for one, the first is written
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "relu": "relu",
    "relu2": "relu2",
}


@dataclass(frozen=True)
class Link:
    """One parameter of our model.

    Attributes:
        name: In our model.
        published: Names of the published parameters that it concatenates, in order.
        transposed: Whether the published ones are stored inputs first (GPT-2's `Conv1D`).
        sizes: Rows of each published one; empty where they have equally many.
    """

    name: str
    published: tuple[str, ...]
    transposed: bool = False
    sizes: tuple[int, ...] = ()

    def split(self, tensor: Tensor) -> tuple[Tensor, ...]:
        """Rows of our parameter, by the published ones that they belong to."""
        if self.sizes:
            return tensor.split(self.sizes)
        number = len(self.published)
        return tensor.chunk(number) if number > 1 else (tensor,)


class Joined(Mapping[str, Tensor]):
    """Tensors by name, each of one part or several, which are joined whenever it is read: all of
    them together are never in memory twice.

    Args:
        parts: Of each tensor, in the order of its rows.
    """

    def __init__(self, parts: dict[str, tuple[Tensor, ...]]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Tensor:
        parts = self._parts[name]
        return parts[0].contiguous() if len(parts) == 1 else torch.cat(parts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def shape(self, name: str) -> torch.Size:
        """The shape of a tensor, which is not read."""
        parts = self._parts[name]
        if not parts[0].ndim:
            return parts[0].shape
        return torch.Size([sum(map(len, parts)), *parts[0].shape[1:]])

    def with_more(self, tensors: Mapping[str, Tensor]) -> "Joined":
        """The same and others."""
        return Joined(self._parts | {name: (tensor,) for name, tensor in tensors.items()})

    def first_rows(self, names: Iterable[str], rows: int) -> "Joined":
        """The same with the first rows alone of those of these names that there are."""
        cut = {n: (self[n][:rows],) for n in names if n in self}
        return Joined(self._parts | cut)


def keep(tensors: Tensors, settings: Settings) -> Tensors:
    """All as they are."""
    return tensors


def no_extras(tensors: Tensors) -> Tensors:
    """None."""
    return {}


@dataclass(frozen=True)
class Family:
    """Weights of one architecture, as they are published.

    Attributes:
        name: As it is called where they are published.
        model: The name of our model.
        clean: Published tensors under the newest form of their names, unused ones left out.
        marks: Names that only this family has, the longest first; before one there may be a prefix.
        fields: Those of its config.json.
        settings: Options of our model, from (clean) tensors and a config.json that was checked;
            raises ValueError where our model cannot be the same.
        links: The table, for our model's options.
        misfits: Those of our model's options that the family cannot express, all of them.
        config: The config.json, from our model's options where none is a misfit; None for a family
            that has no such file.
        fold: Our tensors without those that the family has no place for: others make up for them.
        extras: By our names, of published tensors those of a part that models of ours may have.
    """

    name: str
    model: str
    clean: Callable[[Tensors], Tensors]
    marks: tuple[str, ...]
    fields: Fields
    settings: Callable[[Tensors, dict[str, Any]], Settings]
    links: Callable[[Settings], Iterable[Link]]
    misfits: Callable[[Settings], list[Misfit]]
    config: Callable[[Settings], dict[str, Any]] | None
    fold: Callable[[Tensors, Settings], Tensors] = keep
    extras: Callable[[Tensors], Tensors] = no_extras

    def from_published(self, tensors: Tensors, settings: Settings) -> Joined:
        """Published (clean) tensors under our names; tensors without a link keep theirs."""
        remaining, renamed = dict(tensors), {}
        for link in self.links(settings):
            if all(name in remaining for name in link.published):
                parts = tuple(remaining.pop(name) for name in link.published)
                parts = tuple(part.T for part in parts) if link.transposed else parts
                renamed[link.name] = parts
        return Joined(renamed | {name: (tensor,) for name, tensor in remaining.items()})

    def to_published(self, tensors: Tensors, settings: Settings) -> Tensors:
        """Our tensors under their published names.

        Raises:
            ValueError: One that the family has no name for.
        """
        return self.rename(self.fold(tensors, settings), settings)

    def rename(self, tensors: Tensors, settings: Settings) -> Tensors:
        """As `to_published`, of tensors that are folded."""
        remaining, renamed = dict(tensors), {}
        for link in self.links(settings):
            if link.name in remaining:
                parts = link.split(remaining.pop(link.name))
                for name, chunk in zip(link.published, parts, strict=True):
                    renamed[name] = (chunk.T if link.transposed else chunk).contiguous().clone()
        if remaining:
            raise ValueError(f"{self.name} has no {', '.join(sorted(remaining)[:3])}")
        return renamed


def count(tensors: Tensors, prefix: str) -> int:
    """How many numbered modules there are below a name: blocks, say."""
    numbers = {name[len(prefix) :].split(".")[0] for name in tensors if name.startswith(prefix)}
    return len({n for n in numbers if n.isdecimal()})


def need(tensors: Tensors, name: str, family: str) -> Tensor:
    """A tensor that a family cannot be without.

    Raises:
        ValueError: There is none.
    """
    if name not in tensors:
        raise ValueError(f"{family}: the weights have no {name}")
    return tensors[name]


def heads(config: Settings, field: str, width: int, widths: Iterable[int]) -> int | None:
    """The number of attention heads, which tensors do not tell.

    Args:
        config: Of the weights; empty where there is none.
        field: Its name there.
        width: Of the model.
        widths: Of the models that the authors published, whose heads are 64 wide.

    Returns:
        None where it is not known.

    Raises:
        ValueError: It does not divide the width.
    """
    default = 12 if config.get("model_type") else None  # that of `transformers`
    number = config.get(field) or default
    if number is None:
        return width // 64 if width in widths else None
    is_count = isinstance(number, int) and not isinstance(number, bool) and number > 0
    if not is_count or width % number:
        raise ValueError(f"config.json has {field}={number}, which does not divide {width}")
    return number


def is_tied(config: Settings, embedding: Tensor, head: Tensor | None) -> bool:
    """Whether head and embedding are one matrix; where they differ, they are two."""
    tied = config.get("tie_word_embeddings")
    return (tied is None or tied) and (head is None or head.equal(embedding))


def map_value(
    field: str, config: Settings, default: str, known: dict[str, str], family: str
) -> str:
    """Our value for that of a field.

    Raises:
        ValueError: There is none.
    """
    published = config.get(field) or default
    if not isinstance(published, str) or published not in known:
        raise ValueError(
            f"{family}: {field}={published} is not supported (known: {', '.join(known)})"
        )
    return known[published]


def published_value(value: str, known: dict[str, str]) -> str:
    """The published value for one of ours, the inverse of `map_value`."""
    return next(published for published, own_value in known.items() if own_value == value)


def misfits(settings: Settings, **allowed: Any) -> list[Misfit]:
    """Options that differ from what a family can express.

    Args:
        settings: Options of our model; one that is missing fits.
        **allowed: Of each option the value that fits, or a list of them, the nearest first.
    """
    found = []
    for name, values in allowed.items():
        values = values if isinstance(values, list) else [values]
        if name in settings and settings[name] not in values:
            found.append((_typed(name, settings[name]), _typed(name, values[0])))
    return found


def labels(settings: Settings) -> dict[str, Any]:
    """config.json's names of the classes, labels, or tags."""
    kinds = ("class_names", "label_names", "tag_names")
    names = next(settings[kind] for kind in kinds if settings.get(kind))
    several = {"problem_type": "multi_label_classification"} if "label_names" in settings else {}
    return several | {
        "id2label": {str(k): name for k, name in enumerate(names)},
        "label2id": {name: k for k, name in enumerate(names)},
    }


def _typed(name: str, value: Any) -> str:
    """As it is typed on the command line."""
    words = {True: "true", False: "false", None: "null"}
    is_word = value is None or isinstance(value, bool)
    return f"model.{name}={words[value] if is_word else value}"
