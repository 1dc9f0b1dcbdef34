"""Several columns to predict: how they are named, and what is wrong with them, in one line."""

import pytest
import torch
from sample_tables import build_csv

from zoo.errors import UserError

HEADER = 'x,"price, EUR",rent,town'


def text(rows=30, header=HEADER):
    lines = [f'{i},"{1000 * i + 5}",{i / 2 + 0.25},{("Rome", "Oslo")[i % 2]}' for i in range(rows)]
    return "\n".join([header, *lines]) + "\n"


@pytest.mark.parametrize(
    "target",
    [
        "price, EUR,rent",
        "[price, EUR, rent]",
        '["price, EUR", rent]',
    ],
)
def test_columns_are_named_in_one_text(write, split, target):
    data = build_csv(write("t.csv", text()), split, target=target)
    assert data.facts["target_names"] == ["price, EUR", "rent"]
    assert data.facts["num_outputs"] == 2 and "num_classes" not in data.facts
    assert data.facts["feature_names"] == ["town=Oslo", "town=Rome", "town other", "town missing"]
    assert [row[:2] for row in data.contents[:2]] == [("price, EUR", "target"), ("rent", "target")]


def test_each_target_is_standardised_on_the_training_rows(write, split):
    data = build_csv(write("t.csv", text()), split, target="price, EUR,rent")
    stored = data.splits["train"].columns["target"]
    assert torch.allclose(stored.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(stored.std(0, correction=0), torch.ones(2), atol=1e-6)
    back = stored.double() * torch.tensor(data.facts["target_std"], dtype=torch.float64)
    back += torch.tensor(data.facts["target_mean"], dtype=torch.float64)
    assert torch.allclose(back[:, 0], 2000 * back[:, 1] - 495, rtol=1e-4), "rows stay together"


def test_another_file_is_read_by_the_same_targets(write, split):
    trained = build_csv(write("a.csv", text()), split, target="price, EUR,rent")
    json = trained.encoding.to_json()
    path = write("b.csv", 'rent,town,x,"price, EUR"\n0.25,Rome,0,5\n0.75,Oslo,1,1005\n')
    data = build_csv(path, split, target=None, encoding=json)
    expected = trained.splits["train"].columns["target"]
    std, mean = (torch.tensor(trained.facts[f"target_{name}"]) for name in ("std", "mean"))
    stored = data.splits["all"].columns["target"] * std + mean
    assert torch.allclose(stored, torch.tensor([[5.0, 0.25], [1005.0, 0.75]]), atol=1e-2)
    assert stored.shape[1] == expected.shape[1] == 2
    with pytest.raises(UserError, match="data.target names 1 column, the run predicts 2: price, "):
        build_csv(path, split, target="rent", encoding=json)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (text(), {"target": "rent,town"}, "the target 'town' holds texts ('Rome'), and several"),
        (text(), {"target": "rent,rent"}, "data.target names 'rent' twice"),
        (text(), {"target": "town", "separator": ";"},
         "data.separator=';' stands between the labels of a cell: give task=multi_label"),
        (text(), {"target": "rent,twon"}, "unknown column 'twon'; did you mean 'town'?"),
        (text(), {"target": "rent,x", "kind": "classification"},
         "task=classification predicts one column, data.target names 2 (rent, x)"),
        (text() + "30,,x,Rome\n31,5,,Rome\n", {"target": "price, EUR,rent"},
         "line 32: the target 'price, EUR' is missing; fill it in or remove the line; line 33: the "
         "target 'rent' is missing; fill it in or remove the line; line 32: 'x' in the column "
         "'rent' is not a finite number; correct it, or leave it out of data.target"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(write, split, content, options, message):
    with pytest.raises(UserError) as error:
        build_csv(write("t.csv", content), split, **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_missing_value_has_its_line(write, split):
    path = write("t.csv", text() + "30,,7,Rome\n31,5,,Rome\n")
    with pytest.raises(UserError, match="line 32: the target 'price, EUR' is missing"):
        build_csv(path, split, target="price, EUR,rent")
