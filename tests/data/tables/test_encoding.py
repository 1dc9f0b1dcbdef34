"""Rows as model input: fitted on the training rows only, as an independent computation does."""

import json

import numpy as np
import pytest
import torch
from sample_tables import NAN, build, small

from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.errors import UserError


def test_missing_numbers_and_texts():
    raw, target = small()
    data = build(raw, target)
    names = ["size", "age", "age missing"]
    names += ["colour=green", "colour=red", "colour other", "colour missing"]
    assert data.facts["feature_names"] == names and data.facts["input_shape"] == (7,)
    train = Split(0.2, 0.2).indices(target)["train"]
    age = raw["age"].numpy()
    median = np.nanmedian(age[train.numpy()])
    filled = np.where(np.isnan(age), median, age)[train.numpy()]
    got = data.splits["train"].columns["input"].numpy()
    assert np.allclose(got[:, 1], (filled - filled.mean()) / filled.std(), atol=1e-5)
    assert got[:, 2].tolist() == np.isnan(age[train.numpy()]).astype(float).tolist()
    colours = [raw["colour"][i] for i in train.tolist()]
    assert got[:, 4].tolist() == [float(c == "red") for c in colours]
    assert got[:, 6].tolist() == [float(c is None) for c in colours]
    assert (got[:, 3:].sum(1) == 1).all()


def test_nothing_leaks_from_the_other_rows():
    raw, target = small()
    before = build(raw, target)
    index = Split(0.2, 0.2).indices(target)
    raw["size"][index["test"]] += 1000
    raw["age"][index["val"]] = 77.0
    for i in index["test"].tolist():
        raw["colour"][i] = "blue"
    after = build(raw, target)
    assert after.encoding == before.encoding
    one, two = (d.splits["train"].columns["input"] for d in (before, after))
    assert torch.equal(one, two)
    assert (after.splits["test"].columns["input"][:, 5] == 1).all(), "unseen texts are 'other'"


def test_a_constant_column_does_not_divide_by_zero():
    data = build({"same": torch.full((30,), 0.1).double()}, torch.arange(30) % 3)
    assert data.splits["train"].columns["input"].abs().max() < 1e-6


@pytest.mark.parametrize(("size", "step"), [(0.0, 1e-15), (-2e-30, 1e-30), (1.7e15, 100.0)])
def test_a_column_in_any_unit_is_standardised(size, step):
    values = size + step * torch.arange(30).double()
    data = build({"x": values}, torch.arange(30) % 3)
    encoded = data.splits["train"].columns["input"]
    assert abs(encoded.mean()) < 1e-4
    assert float(encoded.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_the_encoding_survives_json():
    raw, target = small()
    encoding = build(raw, target).encoding
    again = load_encoding(json.loads(json.dumps(encoding.to_json())))
    assert again == encoding and torch.equal(again.encode(raw), encoding.encode(raw))


def test_read_a_file_or_one_row(write):
    raw, target = small()
    encoding = build(raw, target).encoding
    path = write("new.csv", "colour,extra,age,size\nred,1,NA,101\nblue,2,0.5,99\n")
    names, batch = encoding.read(path)
    expected = encoding.encode(
        {
            "size": torch.tensor([101.0, 99.0]).double(),
            "age": torch.tensor([NAN, 0.5]).double(),
            "colour": ["red", "blue"],
        }
    )
    assert names == [f"{path}:2", f"{path}:3"] and torch.equal(batch["input"], expected)
    names, batch = encoding.read("size=101, age=, colour=red")
    assert torch.equal(batch["input"], expected[:1])


def test_reading_names_what_is_wrong(write):
    raw, target = small()
    encoding = build(raw, target).encoding
    with pytest.raises(UserError, match="the column 'age' that the run was trained on is missing"):
        encoding.read(write("a.csv", "size,colour\n1,red\n"))
    with pytest.raises(UserError, match="did you rename it to 'sizes'"):
        encoding.read(write("b.csv", "sizes,age,colour\n1,1,red\n"))
    with pytest.raises(UserError, match=r"c.csv, line 3: 'tall' in the column 'size' is not a"):
        encoding.read(write("c.csv", "size,age,colour\n1,1,red\ntall,2,red\n"))
