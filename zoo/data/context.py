"""Settings that every dataset builder gets besides its own options."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from torch import Tensor

from zoo.batch import Batch, spread
from zoo.bounds import Fraction, Natural
from zoo.data.encoding import Encoding, fitted
from zoo.data.label_noise import with_noise
from zoo.data.splits import Indices, Split
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

E = TypeVar("E", bound=Encoding)
T = TypeVar("T")


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

    A dataset says by `@DATASETS.register(..., uses=(...))` which of `root`, `tokenizer`, `augment`
    (with `test_shift`) and `labels` (`train_size`, `label_noise`) it uses; the settings of the
    others are refused.

    Attributes:
        split: How samples are divided into train, val and test.
        encoding: The encoding of the run that is evaluated or resumed, used instead of fitting
            one. The dataset of an evaluation has a split "all", and its other splits may be empty.
        root: Folder of downloads and caches.
        tokenizer: Settings of the tokenizer, for text.
        augment: Random changes to training images.
        test_shift: Pixels by which images are moved at the evaluation of the test split.
        label_noise: Fraction of the training labels that is replaced by another class.
        workers: Processes that decode files.
        online: Whether names on a hub may be looked up: those that the user typed.
        resumes: Whether the run of `encoding` is resumed, not evaluated.
        max_samples: Samples of each split that will be used, where not all are: datasets that
            decode or encode one by one leave out the others.
    """

    split: Split = field(default_factory=Split)
    encoding: Encoding | None = None
    root: str = "data"
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    augment: Augmentation | None = None
    test_shift: Natural = 0
    label_noise: Fraction = 0.0
    workers: int = 0
    online: bool = True
    resumes: bool = False
    max_samples: int | None = None

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
        class_names: Sequence[str] | None = None,
    ) -> Indices:
        """As `Split.indices`; only a training run needs samples in every split."""
        return self.split.indices(classes, fixed_test, fixed_val, not self.is_new, class_names)

    def check_no_folds(self, why: str) -> None:
        """Refuse folds for a new run on data that are divided otherwise.

        Args:
            why: They are: `the split of text8 is fixed`.

        Raises:
            UserError: There are folds.
        """
        if self.encoding is None and self.split.folds is not None:
            raise UserError(
                f"data.folds={self.split.folds}: {why}, so there can be no folds; leave data.folds "
                f"and data.fold out"
            )

    def train_targets(self, target: Tensor, train: Tensor, num_classes: int | None) -> Tensor:
        """The targets of the training samples, with label noise where it is set.

        Args:
            target: Of all samples, (N, ...).
            train: The training samples, int64 (M,).
            num_classes: Of the classes of which `target` names one, int64 (N,); None for numbers,
                and for any number of labels.

        Raises:
            UserError: Noise for targets that are no classes.
        """
        if not self.label_noise:
            return target[train]
        if num_classes is None:
            raise UserError(
                f"data.label_noise={self.label_noise:g}: a sample of this data has not one class "
                f"that another could replace; leave it out"
            )
        return with_noise(target, train, self.label_noise, num_classes, self.split.split_seed)

    def some(self, items: Sequence[T]) -> Sequence[T]:
        """Of the samples of one split those that will be used: those that the loader takes."""
        if self.max_samples is None:
            return items
        return [items[i] for i in spread(len(items), self.max_samples).tolist()]

    def few(self, splits: Indices) -> Indices:
        """Likewise of the splits of all samples."""
        return {name: rows[spread(len(rows), self.max_samples)] for name, rows in splits.items()}

    @property
    def whole(self) -> "DataContext":
        """For a split of which `train_size` is chosen later."""
        return replace(self, split=replace(self.split, train_size=None))

    @property
    def settled(self) -> "DataContext":
        """For samples of which `few` has left some: their splits, stated as the official ones, are
        those already."""
        return replace(self, split=replace(self.split, folds=None, fold=None, train_size=None))
