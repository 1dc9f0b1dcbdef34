"""Tables: encoded as an independent computation does, fitted on the training rows alone."""

import json

import numpy as np
import pytest
import torch
from contexts import build_dataset, context

from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.data.tables.dataset import table_dataset
from zoo.errors import UserError

NAN = float("nan")


def small(n=40, seed=0, shift=0.0):
    """A table with numbers, gaps and texts; target of three classes."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.randn(n, generator=generator).double() * 5 + 100 + shift
    age = torch.randn(n, generator=generator).double()
    age[::4] = NAN
    colour = [("red", "green", None)[i % 3] for i in range(n)]
    return {"size": size, "age": age, "colour": colour}, torch.arange(n) % 3


def build(raw, target, classes=("a", "b", "c"), **options):
    return table_dataset(raw, target, "kind", classes, context(Split(0.2, 0.2), **options))


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_bundled_tables_equal_sklearns_scaler(name, tmp_path):
    from sklearn import datasets
    from sklearn.preprocessing import StandardScaler

    data = build_dataset({"name": name, "root": str(tmp_path)}, split=Split())
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    index = Split().indices(torch.from_numpy(y).long())
    scaler = StandardScaler().fit(x[index["train"].numpy()])
    for part, rows in index.items():
        expected = scaler.transform(x[rows.numpy()])
        source = data.splits[part]
        assert np.allclose(source.columns["input"].numpy(), expected, atol=1e-5)
        assert source.columns["target"].tolist() == y[rows.numpy()].tolist()
    assert data.facts["input_shape"] == (x.shape[1],) and data.facts["num_outputs"] == y.max() + 1
    assert data.facts["class_counts"] == np.bincount(y[index["train"].numpy()]).tolist()


def test_diabetes_targets_are_standardised_on_the_training_rows(tmp_path):
    from sklearn import datasets

    data = build_dataset({"name": "diabetes", "root": str(tmp_path)}, split=Split())
    y = datasets.load_diabetes(return_X_y=True)[1]
    index = Split().indices(torch.zeros(len(y), dtype=torch.int64))
    train = y[index["train"].numpy()]
    assert data.facts["target_mean"] == pytest.approx(train.mean())
    assert data.facts["target_std"] == pytest.approx(train.std())
    target = data.splits["test"].columns["target"]
    assert target.shape == (88, 1) and target.dtype == torch.float32
    expected = (y[index["test"].numpy()] - train.mean()) / train.std()
    assert np.allclose(target[:, 0].numpy(), expected, atol=1e-5)
    assert "num_classes" not in data.facts and data.facts["num_outputs"] == 1


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


def test_the_encoding_survives_json():
    raw, target = small()
    encoding = build(raw, target).encoding
    again = load_encoding(json.loads(json.dumps(encoding.to_json())))
    assert again == encoding and torch.equal(again.encode(raw), encoding.encode(raw))


def test_a_given_encoding_is_used_and_adds_all():
    raw, target = small()
    trained = build(raw, target)
    raw2, target2 = small(n=6, seed=1, shift=50.0)
    data = build(raw2, target2, encoding=trained.encoding.to_json())
    assert data.encoding == trained.encoding
    assert torch.equal(data.splits["all"].columns["input"], trained.encoding.encode(raw2))
    assert data.splits["all"].columns["target"].tolist() == target2.tolist()
    assert float(data.splits["all"].columns["input"][:, 0].mean()) > 5


def test_classes_are_matched_by_name():
    raw, target = small()
    json_ = build(raw, target, ("a", "b", "c")).encoding.to_json()
    raw2, target2 = small(n=6)
    data = build(raw2, target2, ("c", "a", "b"), encoding=json_)
    assert data.splits["all"].columns["target"].tolist() == [2, 0, 1, 2, 0, 1]
    with pytest.raises(UserError) as error:
        build(raw2, target2, ("a", "b", "x"), encoding=json_)
    assert "the data has 3 classes (a, b, x), the run was trained on 3 (a, b, c)" in str(
        error.value
    )


def test_an_encoding_of_another_kind_is_refused(tmp_path):
    raw, target = small()
    digits = build_dataset({"name": "digits", "root": str(tmp_path)}, split=Split())
    with pytest.raises(UserError, match="the data holds tables, the run was trained on images"):
        build(raw, target, encoding=digits.encoding.to_json())
    with pytest.raises(UserError, match="the data holds images, the run was trained on tables"):
        json_ = build(raw, target).encoding.to_json()
        build_dataset({"name": "digits", "root": str(tmp_path)}, split=Split(), encoding=json_)
    with pytest.raises(UserError, match="is for regression, the run was trained for classific"):
        build(raw, target.double(), None, encoding=build(raw, target).encoding.to_json())


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


def test_a_damaged_encoding_is_named():
    with pytest.raises(UserError, match="unknown kind 'sound'"):
        load_encoding({"kind": "sound"})
    with pytest.raises(UserError, match="table encoding is damaged"):
        load_encoding({"kind": "table", "columns": []})


def test_a_constant_regression_target_is_refused():
    with pytest.raises(UserError, match="is 3 in every training row"):
        build({"x": torch.rand(30).double()}, torch.full((30,), 3.0).double(), None)


def test_the_fingerprint_follows_the_content():
    raw, target = small()
    assert build(raw, target).sha256 == build(raw, target).sha256
    raw2, _ = small(seed=1)
    assert build(raw2, target).sha256 != build(raw, target).sha256
