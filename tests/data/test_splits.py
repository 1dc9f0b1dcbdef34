"""Every sample is in one split, stratified by class, the same on every machine."""

import pytest
import torch

from zoo.data.splits import Split
from zoo.errors import UserError

CLASSES = torch.tensor([0] * 100 + [1] * 50 + [2] * 10)


def counts(classes, index):
    return {name: torch.bincount(classes[i], minlength=3).tolist() for name, i in index.items()}


def test_splits_are_disjoint_cover_all_and_keep_class_fractions():
    index = Split(0.1, 0.2, split_seed=0).indices(CLASSES)
    everything = torch.cat(list(index.values()))
    assert sorted(everything.tolist()) == list(range(160))
    assert counts(CLASSES, index) == {"train": [70, 35, 7], "val": [10, 5, 1], "test": [20, 10, 2]}


def test_fractions_round_to_the_total_by_largest_remainder():
    classes = torch.arange(3).repeat(15)  # 15 of each; 0.2 of 45 is 9, 0.1 is 4.5
    index = Split(0.1, 0.2).indices(classes)
    assert counts(classes, index)["test"] == [3, 3, 3]
    assert len(index["val"]) in (4, 5) and min(counts(classes, index)["val"]) >= 1


def test_the_seed_decides_and_the_global_generator_does_not():
    torch.manual_seed(1)
    index = Split(split_seed=3).indices(CLASSES)
    torch.manual_seed(2)
    two = Split(split_seed=3).indices(CLASSES)
    other = Split(split_seed=4).indices(CLASSES)
    assert all(torch.equal(index[k], two[k]) for k in index)
    assert not torch.equal(index["test"], other["test"])


def test_a_known_split_stays_as_it_is():
    """Runs are compared across versions: the split may not change silently."""
    index = Split(0.25, 0.25, split_seed=0).indices(torch.arange(2).repeat(6))
    assert {k: v.tolist() for k, v in index.items()} == KNOWN


KNOWN = {"train": [1, 2, 3, 6, 10, 11], "val": [4, 7, 9], "test": [0, 5, 8]}


def test_rare_classes_reach_every_split_as_far_as_they_can():
    classes = torch.tensor([0] * 97 + [1] * 3 + [2] * 2 + [3])
    index = Split(0.1, 0.1).indices(classes)
    actual = {k: set(classes[v].tolist()) for k, v in index.items()}
    assert actual["train"] == {0, 1, 2, 3}, "a class of one goes to train"
    assert actual["test"] == {0, 1, 2}
    assert actual["val"] == {0, 1}


def test_an_official_test_split_is_kept_and_val_comes_from_the_rest():
    test = torch.arange(140, 160)
    index = Split(0.1, 0.2).indices(CLASSES, fixed_test=test)
    assert torch.equal(index["test"], test)
    assert len(index["val"]) == 14 and not set(index["val"].tolist()) & set(test.tolist())


def test_an_official_validation_split_is_kept_too():
    val = torch.arange(0, 20)
    index = Split(0.1, 0.2).indices(CLASSES, fixed_val=val)
    assert torch.equal(index["val"], val)
    assert len(index["test"]) == 28 and not set(index["test"].tolist()) & set(val.tolist())


def test_folds_test_each_sample_once_and_do_not_depend_on_the_fold():
    official = torch.arange(140, 160)
    folds = [
        Split(folds=5, fold=fold).indices(CLASSES, fixed_test=official)["test"] for fold in range(5)
    ]
    assert sorted(torch.cat(folds).tolist()) == list(range(160))
    for test in folds:
        assert torch.bincount(CLASSES[test]).tolist() == [20, 10, 2]
    index = Split(folds=5, fold=2).indices(CLASSES)
    assert torch.equal(index["test"], folds[2])
    assert sorted(torch.cat(list(index.values())).tolist()) == list(range(160))
    assert len(index["val"]) == 13  # a tenth of the other 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_fraction": 0}, "data.val_fraction=0: expected a number between 0 and 1"),
        ({"test_fraction": 1.5}, "data.test_fraction=1.5"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on"),
        ({"fold": 1}, "data.fold=1 needs data.folds"),
        ({"folds": 1, "fold": 0}, "data.folds=1: expected 2 or more"),
        ({"folds": 5}, "data.folds=5 needs data.fold=0..4"),
        ({"folds": 5, "fold": 5}, "data.fold=5: expected 0..4 with data.folds=5"),
        ({"folds": 5, "fold": -1}, "data.fold=-1: expected 0..4"),
        ({"split_seed": None}, "data.split_seed=None: expected a whole number"),
        ({"val_fraction": "a"}, "data.val_fraction=a"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError) as error:
        Split(**options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_an_empty_split_is_named_with_the_sizes():
    with pytest.raises(UserError, match=r"the val split is empty \(train 1, val 0, test 1, of 2"):
        Split().indices(torch.tensor([0, 0]))
    assert len(Split().indices(torch.tensor([0, 0]), allow_empty=True)["val"]) == 0


def test_more_folds_than_samples():
    with pytest.raises(UserError, match="there are only 3 samples"):
        Split(folds=5, fold=0).indices(torch.zeros(3, dtype=torch.int64))
