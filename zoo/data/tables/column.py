"""One column of a table, and what was fitted on its training rows.

Shapes: N rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.data.tables.reading import PLAIN, Reading
from zoo.data.tables.words import fit_words, tfidf
from zoo.errors import UserError

Raw = Mapping[str, Tensor | Sequence[str | None]]  # float64 (N,) with NaN, or texts with None
ROUNDING = 1e-14  # relative: the standard deviation that equal numbers may have in float64


def is_constant(mean: float, std: float) -> bool:
    """Whether numbers are all the same but for rounding: 0.1 in every row, and not 1e-15 and 2e-15,
    which a unit such as the farad leads to."""
    return not std > ROUNDING * abs(mean)


@dataclass(frozen=True)
class Column:
    """One column of the table and what was fitted on its training rows.

    Attributes:
        name: As in the header.
        kind: "numeric", "categorical" or "text".
        median: Replaces a missing number.
        mean, std: Mean and standard deviation of the training rows, after that.
        indicator: Whether a 0/1 feature marks missing numbers.
        categories: The texts of the training rows; each is a 0/1 feature, and so are "other" (a
            text not among them) and "missing".
        reading: How a number is read from the table's text.
        words, weights: Of a text, those of the training rows that are features, and their IDF.
    """

    name: str
    kind: str
    median: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    indicator: bool = False
    categories: tuple[str, ...] = ()
    reading: Reading = PLAIN
    words: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        name: str,
        values: Tensor | Sequence[str | None],
        train: Tensor,
        reading: Reading = PLAIN,
    ) -> "Column":
        """Fit on the rows `train` (int64) of a column."""
        if not isinstance(values, Tensor):
            texts = {values[row] for row in train.tolist()}
            known = tuple(sorted(text for text in texts if text is not None))
            return cls(name, "categorical", categories=known)
        rows = values[train]
        numbers = rows[~rows.isnan()]
        median = (
            float(numbers.sort()[0][[(len(numbers) - 1) // 2, len(numbers) // 2]].mean())
            if len(numbers)
            else 0.0
        )
        filled = torch.where(rows.isnan(), median, rows)
        mean, std = float(filled.mean()), float(filled.std(correction=0))
        if not math.isfinite(std):
            raise UserError(
                f"the column '{name}' has numbers as large as {float(numbers.abs().max()):g}, too "
                f"large to be standardised; correct them, or leave the column out: data.drop"
            )
        if is_constant(mean, std):
            std = 1.0
        # Of a date, one of its parts marks a missing one.
        indicator = bool(rows.isnan().any()) and reading.part in ("", "elapsed")
        return cls(name, "numeric", median, mean, std, indicator, reading=reading)

    @classmethod
    def fit_text(cls, name: str, texts: Sequence[str | None], train: Tensor, most: int) -> "Column":
        """Fit the words of a text on the rows `train` (int64).

        Raises:
            UserError: No word is in two of these rows.
        """
        words, weights = fit_words([texts[row] for row in train.tolist()], most)
        if not words:
            raise UserError(
                f"the column '{name}' has no word that is in two training rows, so it cannot be "
                f"read as text; leave it out: data.drop"
            )
        return cls(name, "text", words=words, weights=weights)

    @property
    def source(self) -> str:
        """The name in the header."""
        return self.reading.source or self.name

    @property
    def features(self) -> list[str]:
        """Names of the encoded features."""
        if self.kind == "text":
            return [f"{self.name}: {word}" for word in self.words]
        if self.kind == "numeric":
            return [self.name] + ([f"{self.name} missing"] if self.indicator else [])
        texts = [f"{self.name}={text}" for text in self.categories]
        return [*texts, f"{self.name} other", f"{self.name} missing"]

    @property
    def scales(self) -> list[list[float]]:
        """Mean and standard deviation by which each encoded feature was standardised."""
        unscaled = [[0.0, 1.0]]
        first = [[self.mean, self.std]] if self.kind == "numeric" else unscaled
        return first + unscaled * (len(self.features) - 1)

    def encode(self, values: Tensor | Sequence[str | None]) -> Tensor:
        """(N, features), float64, of texts float32."""
        if self.kind == "text":
            assert not isinstance(values, Tensor)
            return tfidf(values, self.words, self.weights)
        if isinstance(values, Tensor):
            missing = values.isnan()
            scaled = (torch.where(missing, self.median, values) - self.mean) / self.std
            return torch.stack([scaled, missing.double()] if self.indicator else [scaled], dim=1)
        number = {text: i for i, text in enumerate(self.categories)}
        other = len(number)
        codes = [other + 1 if text is None else number.get(text, other) for text in values]
        codes_tensor = torch.tensor(codes, dtype=torch.long)
        return torch.nn.functional.one_hot(codes_tensor, other + 2).double()
