"""Which columns are numbers, categories, ids; what the target asks for."""

import random

import pytest
from sample_tables import build_csv, csv_text


def test_kinds_of_columns_are_found(write, split):
    data = build_csv(write("t.csv", csv_text()), split)
    assert data.facts["feature_names"] == [
        "age", "age missing", "city=New York", "city=Oslo", "city=Rome", "city other",
        "city missing", "income",
    ]  # fmt: skip
    assert data.facts["class_names"] == ["no", "yes"] and data.facts["num_classes"] == 2
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 36, "val": 12, "test": 12}
    assert any("column 'id' left out: it counts the rows" in note for note in data.notes)
    assert any("target 'class': 2 classes, so classification" in note for note in data.notes)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["1", "2", "10"] * 10, "auto", ["1", "2", "10"]),
        (["1", "2", "10"] * 10, "regression", None),
        ([f"{i}.5" for i in range(30)], "auto", None),
        ([str(i) for i in range(30)], "auto", None),
        (["0.5", "1.5"] * 15, "classification", ["0.5", "1.5"]),
        (["b", "a", "1"] * 10, "auto", ["1", "a", "b"]),
        (["none", "mild", "None"] * 10, "auto", ["None", "mild", "none"]),
    ],
)
def test_the_task_follows_from_the_target(write, split, values, kind, expected):
    r = random.Random(1)
    body = "\n".join(f"{r.random()},{value}" for value in values)
    data = build_csv(write("t.csv", "x,class\n" + body), split, kind=kind)
    assert data.facts.get("class_names") == expected


def test_columns_and_kinds_can_be_chosen(write, split):
    path = write("t.csv", csv_text())
    only = build_csv(path, split, columns=["income", "class"])
    assert only.facts["feature_names"] == ["income"]
    less = build_csv(path, split, drop=["city", "age"])
    assert less.facts["feature_names"] == ["income"]
    kept = build_csv(path, split, numeric=["id"], drop=["city"])
    assert "id" in kept.facts["feature_names"]
    cats = build_csv(path, split, columns=["age"], categorical=["age"])
    assert "age=33" in cats.facts["feature_names"] or len(cats.facts["feature_names"]) > 10


def test_a_column_that_says_nothing_is_left_out(write, split):
    body = "\n".join(f"{i * i},same,,{i % 2}" for i in range(30))
    data = build_csv(write("t.csv", "x,a,b,class\n" + body), split)
    assert data.facts["feature_names"] == ["x"]
    assert any("'a' left out: 'same' in every row" in note for note in data.notes)
    assert any("'b' left out: empty" in note for note in data.notes)


def test_an_unnamed_index_column_is_left_out(write, split):
    data = build_csv(write("t.csv", csv_text(header=",age,city,income,class")), split)
    assert any("'column 1' left out: it counts the rows" in note for note in data.notes)
