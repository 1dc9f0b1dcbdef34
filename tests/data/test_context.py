"""What datasets are given: defaults, and the difference between a new run and a trained one."""

import pytest
import torch
from contexts import context

from zoo.batch import spread
from zoo.data.context import DataContext
from zoo.data.images.encoding import ImageEncoding
from zoo.data.splits import Split, renumbered
from zoo.data.tables.encoding import TableEncoding, Target
from zoo.errors import UserError

TABLE = TableEncoding((), Target("y", "regression"))


def test_a_new_run_has_nothing_fitted_and_needs_every_split():
    new = DataContext(Split(0.4, 0.4))
    assert new.is_new and new.fitted(TableEncoding) is None
    with pytest.raises(UserError, match="split is empty"):
        new.indices(torch.zeros(1, dtype=torch.int64))


def test_a_trained_run_keeps_its_encoding_and_may_lack_splits():
    trained = context(encoding=TABLE.to_json())
    assert not trained.is_new and trained.fitted(TableEncoding) == TABLE
    index = trained.indices(torch.zeros(1, dtype=torch.int64))
    assert sum(map(len, index.values())) == 1


def test_folds_are_refused_for_a_new_run_on_data_that_are_divided_otherwise():
    folds = Split(folds=5, fold=0)
    with pytest.raises(UserError, match="data.folds=5: the split of x is fixed, so there can be"):
        context(folds).check_no_folds("the split of x is fixed")
    context(folds, encoding=TABLE.to_json()).check_no_folds("the split of x is fixed")
    context().check_no_folds("the split of x is fixed")


def test_an_encoding_of_another_kind_is_refused():
    with pytest.raises(UserError, match="the data holds images, the run was trained on tables"):
        context(encoding=TABLE.to_json()).fitted(ImageEncoding)


def test_a_handful_is_what_the_loader_takes():
    every, few = DataContext(), DataContext(max_samples=16)
    splits = {"train": torch.arange(1000) * 3, "val": torch.arange(5)}
    assert torch.equal(few.few(splits)["train"], 3 * spread(1000, 16))
    assert torch.equal(few.few(splits)["val"], torch.arange(5))
    assert few.some(range(0, 3000, 3)) == few.few(splits)["train"].tolist()
    assert torch.equal(every.few(splits)["train"], splits["train"])
    assert every.some(range(9)) == range(9)


def test_what_is_left_of_splits_is_not_divided_again():
    classes = torch.arange(300) % 3
    for split in (Split(train_size=50), Split(folds=5, fold=2)):
        drawn = DataContext(split, max_samples=20)
        kept, places = renumbered(drawn.few(drawn.indices(classes)))
        again = drawn.settled.indices(classes[kept], places["test"], places["val"])
        assert {n: rows.tolist() for n, rows in again.items()} == {
            n: rows.tolist() for n, rows in places.items()
        }
