"""How a published family of weights names what our models name otherwise.

A family is a table of links, each a parameter of ours and those of theirs that it is made of. It
serves reading and writing alike, adapters included.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Tensors = dict[str, Tensor]
Settings = dict[str, Any]


@dataclass(frozen=True)
class Link:
    """One parameter of ours.

    Attributes:
        ours: Its name.
        theirs: Names of what it is made of, one above the other.
        transposed: Whether theirs lie inputs first (GPT-2's `Conv1D`).
    """

    ours: str
    theirs: tuple[str, ...]
    transposed: bool = False


@dataclass(frozen=True)
class Family:
    """Weights of one architecture, as they are published.

    Attributes:
        name: As it is called where they are published.
        model: Our model.
        clean: Their tensors under the newest form of their names, those of no use left out.
        recognises: Whether (clean) tensors are of this family.
        settings: Options of our model, from (clean) tensors and config.json.
        links: The table, for our model's options.
        config: The config.json, from our model's options; raises ValueError where the family cannot
            express them.
    """

    name: str
    model: str
    clean: Callable[[Tensors], Tensors]
    recognises: Callable[[Tensors], bool]
    settings: Callable[[Tensors, dict[str, Any]], Settings]
    links: Callable[[Settings], Iterable[Link]]
    config: Callable[[Settings], dict[str, Any]]

    def ours(self, theirs: Tensors, settings: Settings) -> Tensors:
        """Their (clean) tensors under our names; what no link knows keeps its own."""
        left, found = dict(theirs), {}
        for link in self.links(settings):
            if all(name in left for name in link.theirs):
                parts = [left.pop(name) for name in link.theirs]
                parts = [part.T for part in parts] if link.transposed else parts
                found[link.ours] = (parts[0] if len(parts) == 1 else torch.cat(parts)).contiguous()
        return found | left

    def theirs(self, ours: Tensors, settings: Settings) -> Tensors:
        """Our tensors under their names.

        Raises:
            ValueError: One that the family has no name for.
        """
        left, found = dict(ours), {}
        for link in self.links(settings):
            if link.ours in left:
                tensor, number = left.pop(link.ours), len(link.theirs)
                parts = tensor.chunk(number) if number > 1 else (tensor,)
                for name, part in zip(link.theirs, parts):
                    found[name] = (part.T if link.transposed else part).contiguous().clone()
        if left:
            raise ValueError(f"{self.name} has no {', '.join(sorted(left)[:3])}")
        return found


def count(tensors: Tensors, prefix: str) -> int:
    """How many numbered parts there are below a name: blocks, say."""
    numbers = {name[len(prefix) :].split(".")[0] for name in tensors if name.startswith(prefix)}
    return len({n for n in numbers if n.isdecimal()})


def pick(name: str, given: Any, known: dict[str, str], family: str) -> str:
    """Our word for one of theirs.

    Raises:
        ValueError: We have none.
    """
    if given not in known:
        raise ValueError(f"{family}: {name}={given} is not supported (known: {', '.join(known)})")
    return known[given]


def word_for(ours: str, known: dict[str, str], family: str) -> str:
    """Their word for one of ours.

    Raises:
        ValueError: They have none.
    """
    found = next((theirs for theirs, one in known.items() if one == ours), None)
    if found is None:
        raise ValueError(f"{family} has no activation={ours}")
    return found


def demand(family: str, settings: Settings, **wanted: Any) -> None:
    """Hold options to what a family can express.

    Raises:
        ValueError: One that it cannot.
    """
    wrong = [f"{k}={settings[k]}" for k, v in wanted.items() if settings.get(k, v) != v]
    if wrong:
        needs = ", ".join(f"{k}={v}" for k, v in wanted.items())
        raise ValueError(f"{family} cannot express model.{', model.'.join(wrong)} (it has {needs})")
