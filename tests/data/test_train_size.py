"""`data.train_size`: a stratified, nested part of the training rows, of which the facts are."""

import pytest
import torch
from contexts import build_dataset

from zoo.data.splits import Split
from zoo.data.train_size import TrainSize
from zoo.errors import UserError

CLASSES = torch.tensor([0] * 100 + [1] * 50 + [2] * 10)  # 70, 35 and 7 of them for training
NAMES = ["a", "b", "c"]


def chosen(size, classes=CLASSES, seed=0, **options):
    split = Split(split_seed=seed, train_size=size)
    return split.indices(classes, class_names=NAMES, **options)


def test_a_smaller_part_lies_in_a_larger_one_and_every_part_is_stratified():
    whole, before = Split().indices(CLASSES), set()
    for size in range(1, 113):
        index = chosen(size)
        train = index["train"]
        assert len(train) == size and before < set(train.tolist()) <= set(whole["train"].tolist())
        assert torch.equal(train, train.sort()[0])
        assert all(torch.equal(index[name], whole[name]) for name in ("val", "test"))
        counts = torch.bincount(CLASSES[train], minlength=3)
        if size >= 3:
            assert counts.min() >= 1, "a class is missing though there is room for it"
            share = torch.tensor([70, 35, 7]) * size / 112
            assert (counts - share).abs().max() <= 1.0, "a class is more than a row off its share"
        before = set(train.tolist())
    assert torch.equal(train, whole["train"])


def test_rows_of_each_class_are_the_first_ones_of_a_stratified_part():
    for number in (1, 3, 7):
        train = chosen(f"{number}/class")["train"]
        assert torch.bincount(CLASSES[train]).tolist() == [number] * 3
    assert set(chosen("2/class")["train"].tolist()) < set(chosen("3/class")["train"].tolist())
    even = torch.arange(160) % 3
    assert torch.equal(chosen(30, even)["train"], chosen("10/class", even)["train"])


def test_the_seed_of_the_split_decides_and_nothing_else():
    torch.manual_seed(1)
    one = chosen(20)["train"]
    torch.manual_seed(2)
    assert torch.equal(one, chosen("20")["train"])
    assert not torch.equal(one, chosen(20, seed=1)["train"])
    assert one.tolist()[:5] == KNOWN  # runs are compared across versions


KNOWN = [14, 21, 22, 27, 30]


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "x", "5/classes", "0/class", "5 /class"])
def test_other_forms_are_refused(size):
    with pytest.raises(UserError, match=r"expected a number of rows \(50\) or of rows of each"):
        Split(train_size=size)


def test_more_rows_than_there_are():
    with pytest.raises(UserError, match=r"data.train_size=113: the training split has 112 rows"):
        chosen(113)
    with pytest.raises(UserError, match=r"has 7 rows of the class 'c'; expected at most 7/class"):
        chosen("8/class")
    assert len(chosen(113, allow_empty=True)["train"]) == 112  # other data of an evaluation
    with pytest.raises(UserError, match=r"not one class; expected a number of rows"):
        TrainSize(5, True).choose(torch.arange(9), torch.arange(9), torch.zeros(9), None)


def test_facts_and_scales_are_those_of_what_is_left(data_root):
    part = {"split": Split(train_size="5/class"), "root": str(data_root)}
    images = build_dataset({"name": "digits"}, **part)
    pixels = images.splits["train"].columns["input"].double() / 255
    assert images.facts["class_counts"] == [5] * 10 and len(images.splits["train"]) == 50
    assert images.encoding.mean[0] == pytest.approx(float(pixels.mean()))
    numbers = {"split": Split(train_size=30), "root": str(data_root)}
    table = build_dataset({"name": "diabetes"}, **numbers)
    columns = table.splits["train"].columns
    assert columns["target"].mean() == pytest.approx(0, abs=1e-6)
    assert columns["input"][:, 0].mean() == pytest.approx(0, abs=1e-6)
