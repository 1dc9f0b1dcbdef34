"""Settings that every dataset builder gets besides its own options."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from torch import Tensor

from zoo.batch import Batch
from zoo.data.encoding import Encoding, fitted
from zoo.data.splits import Indices, Split
from zoo.data.tokenizers.config import TokenizerConfig

E = TypeVar("E", bound=Encoding)


class Augmentation(Protocol):
    """Settings of random changes to training images (`zoo.data.images.augment.Augment`)."""

    def bind(
        self, black: Sequence[float], size: tuple[int, int]
    ) -> Callable[[Batch, Tensor], Batch] | None:
        """The function that changes prepared images of this size; None where all is off."""
        ...


@dataclass(frozen=True)
class DataContext:
    """Settings of the `data` group for all datasets, and the encoding that a run has fitted.

    A dataset says by `@DATASETS.register(..., uses=(...))` which of `root`, `tokenizer` and
    `augment` it uses; the settings of the others are refused.

    Attributes:
        split: How samples are divided into train, val and test.
        encoding: The encoding of the run that is evaluated or resumed, used instead of fitting
            one. The dataset of an evaluation has a split "all", and its other splits may be empty.
        root: Folder of downloads and caches.
        tokenizer: Settings of the tokenizer, for text.
        augment: Random changes to training images.
        workers: Processes that decode files.
        online: Whether names on a hub may be looked up: those that the user typed.
        resumes: Whether the run of `encoding` is resumed, not evaluated.
    """

    split: Split = field(default_factory=Split)
    encoding: Encoding | None = None
    root: str = "data"
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    augment: Augmentation | None = None
    workers: int = 0
    online: bool = True
    resumes: bool = False

    @property
    def is_new(self) -> bool:
        """Whether a run is to be trained on the data, from its start or on: no split is empty."""
        return self.encoding is None or self.resumes

    def fitted(self, expected: type[E]) -> E | None:
        """The run's encoding, None where one is to be fitted.

        Raises:
            UserError: It is of another class than the data needs.
        """
        return fitted(expected, self.encoding)

    def indices(
        self,
        classes: Tensor,
        fixed_test: Tensor | None = None,
        fixed_val: Tensor | None = None,
    ) -> Indices:
        """As `Split.indices`; only a training run needs samples in every split."""
        return self.split.indices(classes, fixed_test, fixed_val, allow_empty=not self.is_new)
