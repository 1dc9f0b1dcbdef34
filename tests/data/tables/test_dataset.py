"""Tables: encoded as an independent computation does, fitted on the training rows alone."""

import pytest
import torch
from contexts import build_dataset
from sample_tables import build, small

from zoo.data.splits import Split
from zoo.errors import UserError


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


@pytest.mark.parametrize("value", [3.0, 0.1, 1e-15])  # the mean of 0.1 is not quite 0.1
@pytest.mark.parametrize("rows", [30, 3000])
def test_a_constant_regression_target_is_refused(value, rows):
    same = torch.full((rows,), value, dtype=torch.float64)
    with pytest.raises(UserError, match=f"is {value:g} in every training row"):
        build({"x": torch.rand(rows).double()}, same, None)
    build({"x": torch.rand(rows).double()}, same * torch.rand(rows).double(), None)


def test_numbers_too_large_to_be_standardised_are_refused():
    raw, target = small()
    raw["size"][:20] = 1e308
    with pytest.raises(UserError, match=r"the column 'size' has numbers as large as 1e\+308"):
        build(raw, target)
    with pytest.raises(UserError, match="the target 'kind' has numbers too large"):
        build(small()[0], raw["size"], None)
