"""Names of several words, marked by B- and I-: how many are found whole, as CoNLL counts them.

Ramshaw and Marcus, 1995, https://aclanthology.org/W95-0107; counted as by the script conlleval
(Tjong Kim Sang and De Meulder, 2003, https://aclanthology.org/W03-0419): a name is right if its
first word, its last word and its kind are.
Shapes: B sentences, T tokens, K tags.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.kernels import IGNORE_INDEX

OUTSIDE = "O"


class Marks(NamedTuple):
    """Where names begin and end, each (B, T).

    Attributes:
        begins: Bool.
        kinds: Number of the kind of name, int64; -1 outside.
        ends: Place of the last word of the name that a word is in, int64.
    """

    begins: Tensor
    kinds: Tensor
    ends: Tensor


class Spans:
    """Counts names.

    Args:
        tag_names: K, each `O`, `B-...` or `I-...`.
    """

    def __init__(self, tag_names: Sequence[str]) -> None:
        kinds = sorted({name[2:] for name in tag_names if name != OUTSIDE})
        numbers = [-1 if name == OUTSIDE else kinds.index(name[2:]) for name in tag_names]
        self.kinds = torch.tensor(numbers)  # (K,)
        self.first = torch.tensor([name.startswith("B-") for name in tag_names])  # (K,)
        self.outside = tag_names.index(OUTSIDE) if OUTSIDE in tag_names else len(tag_names)
        if self.outside == len(tag_names):  # every word is in a name: what is behind is not
            self.kinds = torch.cat([self.kinds, torch.tensor([-1])])
            self.first = torch.cat([self.first, torch.tensor([False])])

    def sums(self, target: Tensor, predicted: Tensor, prefix: str = "") -> dict[str, Tensor]:
        """How many names there are, are predicted, and are both.

        Args:
            target: Int64 (B, T), `IGNORE_INDEX` at tokens that begin no word, or have no tag.
            predicted: Int64 (B, T).
            prefix: Of the sums' names.
        """
        self.kinds, self.first = (x.to(target.device) for x in (self.kinds, self.first))  # once
        known = target != IGNORE_INDEX
        order = (~known).to(torch.int64).argsort(dim=1, stable=True)  # words next to each other
        true, guess = (
            self._marks(tags.masked_fill(~known, self.outside).gather(1, order))
            for tags in (target, predicted)
        )
        same = (true.kinds == guess.kinds) & (true.ends == guess.ends)
        return {
            f"{prefix}spans": true.begins.sum(),
            f"{prefix}spans_predicted": guess.begins.sum(),
            f"{prefix}spans_right": (true.begins & guess.begins & same).sum(),
        }

    def _marks(self, tags: Tensor) -> Marks:
        kinds, first = self.kinds[tags], self.first[tags]  # (B, T)
        before = torch.nn.functional.pad(kinds, (1, 0), value=-1)[:, :-1]
        begins = (kinds >= 0) & (first | (kinds != before))
        goes_on = (kinds >= 0) & ~begins  # the word belongs to the name before
        last = ~torch.nn.functional.pad(goes_on, (0, 1))[:, 1:]
        place = torch.arange(tags.shape[1], device=tags.device).expand_as(tags)
        ends = place.masked_fill(~last, tags.shape[1]).flip(1).cummin(1).values.flip(1)
        return Marks(begins, kinds, ends)


def spans_of(tag_names: Sequence[str]) -> Spans | None:
    """What counts names, where the tags mark such."""
    marked = [name for name in tag_names if name != OUTSIDE]
    is_marked = bool(marked) and all(name[:2] in ("B-", "I-") and name[2:] for name in marked)
    return Spans(tag_names) if is_marked else None


def span_f1(means: Mapping[str, Tensor]) -> float:
    """The harmonic mean of precision and recall of names; 0 where none is right."""
    total = means["spans"] + means["spans_predicted"]
    return float(2 * means["spans_right"] / total) if total > 0 else 0.0
