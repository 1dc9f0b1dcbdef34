"""Rows to predict: typed, as JSON, of files, of the standard input."""

import io
import json
import sys

import pytest
from sample_tables import build_csv, csv_text

from zoo.errors import UserError


@pytest.fixture
def encoding(write, split):
    text = csv_text(header="id,age (years),is_in,income,class").replace("Rome", "True")
    return build_csv(write("t.csv", text), split).encoding


ROW = {"age (years)": 30, "is_in": "Oslo", "income": 0.5}
TYPED = "age (years)=30,is_in=Oslo,income=0.5"


def test_every_form_is_the_same_row(encoding, write, monkeypatch):
    table = "income,is_in,age (years)\n0.5,Oslo,30\n"
    files = [
        write("r.csv", table),
        write("r.json", json.dumps([ROW])),
        write("r.jsonl", json.dumps(ROW)),
    ]
    expected = encoding.read(TYPED)[1]["input"].tolist()
    for text in [*files, json.dumps(ROW), json.dumps([ROW]), " income = 0.50, " + TYPED[:25]]:
        assert encoding.read(text)[1]["input"].tolist() == expected, text
    for content in (table, json.dumps(ROW), TYPED):
        monkeypatch.setattr(sys, "stdin", io.StringIO(content + "\n"))
        assert encoding.read("-")[1]["input"].tolist() == expected, content


def test_rows_have_names(encoding, write, monkeypatch):
    path = write("r.jsonl", "\n".join([json.dumps(ROW)] * 2))
    assert encoding.read(path)[0] == [f"{path}:1", f"{path}:2"]
    assert encoding.read(json.dumps([ROW, ROW]))[0] == ["input:1", "input:2"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TYPED}\n{TYPED}\n"))
    assert encoding.read("-")[0] == ["-:1", "-:2"]


def test_signs_that_end_lines_elsewhere_do_not_end_a_row(encoding, write):
    rows = [{**ROW, "is_in": "a\u2028b"}, ROW]
    path = write("rows.jsonl", "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert encoding.read(path)[0] == [f"{path}:1", f"{path}:2"]


def test_json_values_mean_what_the_file_wrote(encoding):
    same = [{**ROW, "is_in": value} for value in (True, "True")]
    rows = encoding.read(json.dumps(same))[1]["input"]
    assert rows[0].tolist() == rows[1].tolist()
    gap = encoding.read(json.dumps({**ROW, "age (years)": None}))[1]["input"]
    assert gap[0, encoding.feature_names.index("age (years) missing")] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "input= is empty"),
        ("=", "expected a CSV file or name=value"),
        ("age (years)=30", "the columns 'is_in', 'income' that the run was trained on"),
        (TYPED + ",income=1", "'income' is given twice"),
        (TYPED.replace("30", "old"), "'old' in the column 'age (years)' is not a finite number"),
        (TYPED.replace("30", "3,5"), "'3,5' in the column 'age (years)' is not a finite number"),
        (TYPED.replace("30", "9" * 5000), "is not a finite number"),
        ("x" * 5000, "expected a CSV file or name=value"),
        ("[1, 2]", "expected JSON rows that name their values"),
        ("{}", "expected JSON rows that name their values"),
        ('{"a": ', "not JSON"),
        ("[" * 100_000, "not JSON"),
        (json.dumps({**ROW, "income": [1]}), "row 1: 'income' is a list, expected a number"),
        (json.dumps({**ROW, "income": True}), "'true' in the column 'income' is not a finite"),
        ('{"a": 1, "a": 2}', "input: the key 'a' stands twice in one object"),
        ('{"a": 1}\n{"a": 1, "a": 2}', "input, row 2: the key 'a' stands twice in one object"),
        ('[{"a": 1}, {"a": 1, "a": 2}]', "input, row 2: the key 'a' stands twice in one object"),
        (json.dumps([ROW, {"is_in": "Oslo"}]), "row 2: 'age (years)' is missing; null is allowed"),
    ],
)
def test_a_wrong_row_is_one_line(encoding, text, said):
    with pytest.raises(UserError) as error:
        encoding.read(text)
    assert said in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TYPED, None),
        (TYPED.replace("Oslo", "oslo"), "'oslo' is not among the training data's categories, so "
         "'other' is taken in the row; did you mean 'Oslo'?"),
        (TYPED + ",pool=1", "not used, the run was not trained on it: 'pool'"),
        (TYPED + ",class=no", None),
        (TYPED.replace("0.5", ""), "'income' is missing in the row, in training in none: the "
         "median"),
        (TYPED.replace("30", ""), None),
    ],
)  # fmt: skip
def test_what_training_had_not_is_said(encoding, text, said):
    notes = encoding.read_noted(text)[2]
    assert notes == [] if said is None else said in " ".join(notes)
