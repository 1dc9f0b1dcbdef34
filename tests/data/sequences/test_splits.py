"""Generated sequences by split: there are no folds of what is drawn for each split."""

import pytest
from contexts import context

from zoo.data.datasets.copy import copy
from zoo.data.datasets.recall import recall
from zoo.data.splits import Split
from zoo.errors import UserError


@pytest.mark.parametrize("dataset", [copy, recall])
def test_folds_would_all_be_the_same_and_are_refused(dataset):
    folds = Split(folds=4, fold=1)
    with pytest.raises(UserError, match="data.folds=4: sequences are drawn for each split"):
        dataset(context(folds), size=200)
    trained = dataset(context(), size=200).encoding  # by a run of before they were refused
    assert len(dataset(context(folds, trained.to_json()), size=200).splits["test"]) == 50
