"""The user's own table: what is taken how, and each mistake named by file, line and column."""

import csv
import io
import random

import pytest
import torch
from contexts import build_dataset

from zoo.data.tables.csv_file import read_csv
from zoo.errors import UserError


def build(path, split, target="class", encoding=None, **options):
    options = {"name": "csv", "path": path, "target": target, **options}
    return build_dataset(options, split=split, encoding=encoding)


def text(n=60, header="id,age,city,income,class", seed=0):
    r = random.Random(seed)
    lines = [header]
    for i in range(n):
        age = "" if i % 7 == 3 else str(r.randrange(20, 70))
        cells = [str(i), age, r.choice(["Rome", "Oslo", "New York"]), f"{r.random():.3f}"]
        lines.append(",".join([*cells, "yes" if i % 3 else "no"]))
    return "\n".join(lines) + "\n"


def test_kinds_of_columns_are_found(write, split):
    data = build(write("t.csv", text()), split)
    assert data.facts["feature_names"] == [
        "age", "age missing", "city=New York", "city=Oslo", "city=Rome", "city other",
        "city missing", "income",
    ]  # fmt: skip
    assert data.facts["class_names"] == ["no", "yes"] and data.facts["num_classes"] == 2
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 36, "val": 12, "test": 12}
    assert any("column 'id' left out: it counts the rows" in note for note in data.notes)
    assert any("target 'class': 2 classes, so classification" in note for note in data.notes)


def test_rows_stay_with_their_targets(write, split):
    """The target is a function of the row, so a wrong pairing shows."""
    lines = ["x,y"] + [f"{i * 0.5},{i * 2.0 + 0.25}" for i in (5, 3, 8, 1, 9, 2, 7, 4, 6, 0) * 3]
    data = build(write("t.csv", "\n".join(lines)), split, target="y")
    assert data.facts["num_outputs"] == 1
    column = data.encoding.columns[0]
    for source in data.splits.values():
        x = source.columns["input"][:, 0] * column.std + column.mean
        y = source.columns["target"][:, 0] * data.facts["target_std"] + data.facts["target_mean"]
        assert torch.allclose(y, 4 * x + 0.25, atol=1e-4)


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
    data = build(write("t.csv", "x,class\n" + body), split, kind=kind)
    assert data.facts.get("class_names") == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_quotes_blank_lines_and_marks(write, split, delimiter):
    buffer = io.StringIO()
    rows = list(csv.reader(io.StringIO(text())))
    rows[5][2] = f'say "hi"{delimiter}\nthere'
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    raw = ("\ufeff" + buffer.getvalue() + "\r\n\r\n").encode()
    table = read_csv(write("t.csv", raw))
    assert table.header == rows[0] and table.rows == rows[1:]
    assert table.lines[:5] == [2, 3, 4, 5, 7], "lines of the file, although a cell spans two"


def test_columns_and_kinds_can_be_chosen(write, split):
    path = write("t.csv", text())
    only = build(path, split, columns=["income", "class"])
    assert only.facts["feature_names"] == ["income"]
    less = build(path, split, drop=["city", "age"])
    assert less.facts["feature_names"] == ["income"]
    kept = build(path, split, numeric=["id"], drop=["city"])
    assert "id" in kept.facts["feature_names"]
    cats = build(path, split, columns=["age"], categorical=["age"])
    assert "age=33" in cats.facts["feature_names"] or len(cats.facts["feature_names"]) > 10


def test_a_column_that_says_nothing_is_left_out(write, split):
    body = "\n".join(f"{i * i},same,,{i % 2}" for i in range(30))
    data = build(write("t.csv", "x,a,b,class\n" + body), split)
    assert data.facts["feature_names"] == ["x"]
    assert any("'a' left out: 'same' in every row" in note for note in data.notes)
    assert any("'b' left out: empty" in note for note in data.notes)


def test_an_unnamed_index_column_is_left_out(write, split):
    data = build(write("t.csv", text(header=",age,city,income,class")), split)
    assert any("'column 1' left out: it counts the rows" in note for note in data.notes)


def replaced(line, old, new):
    lines = text().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    return "\n".join(lines)


LINE_3 = text().split("\n")[2]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "the file is empty"),
        ("\n \n", {}, "the file is empty"),
        ("a,class\n", {}, "there are no rows below the header"),
        (text(header="id,age,age,income,class"), {}, "line 1: two columns are named 'age'"),
        (replaced(3, ",", ",7,"), {}, "line 3: 6 cells, expected 5 as in the header"),
        (replaced(4, ",", " "), {}, "line 4: 4 cells, expected 5"),
        (replaced(9, "yes", ""), {}, "line 9: the target 'class' is missing"),
        (replaced(9, "yes", "NA"), {}, "line 9: the target 'class' is missing"),
        (replaced(6, "0.", "O."), {}, "line 6: 'O."),
        (replaced(6, "0.", "O."), {}, "in the column 'income' is not a finite number; correct it, "
         "or data.categorical=[income]"),
        (replaced(6, "0.", "1e999"), {}, "is not a finite number"),
        (text(), {"target": None}, "data.target is missing: the column to predict (one of: id, "),
        (text(), {"target": "clas"}, "unknown column 'clas'; did you mean 'class'?"),
        (text(), {"drop": ["ages"]}, "data.drop: "),
        (text(), {"columns": ["Age"]}, "did you mean 'age'?"),
        (text(), {"kind": "regression"}, "line 2: 'no' in the column 'class' is not a finite"),
        (text(), {"numeric": ["city"]}, "in the column 'city' is not a finite number"),
        (text(), {"numeric": ["age"], "categorical": ["age"]}, "both name 'age'"),
        (text(), {"delimiter": "::"}, "data.delimiter='::': expected one character"),
        (text(), {"delimiter": ";"}, "unknown column 'class'"),
        (text().replace("yes", "no"), {}, "the target 'class' is 'no' in every row"),
        (text(3), {}, "split is empty"),
        (text(), {"columns": ["class"]}, "no column is left to learn from"),
        ("n,class\n" + "".join(f"name{i},{i % 2}\n" for i in range(50)), {},
         "the column 'n' has 50 distinct texts in 50 rows (e.g. 'name0'): ids or free text?"),
        ("n,class\n" + "".join(f"{i * i},name{i}\n" for i in range(50)), {},
         "the target 'class' has 50 distinct values in 50 rows"),
        ('a,class\n"x,1\n', {}, "correct the quotes"),
        (text().encode() + b"9,30,K\xf6ln,0.5,no\n", {}, "line 62: not UTF-8 (byte 0xf6 at offset"),
    ],
)  # fmt: skip
def test_mistakes_are_named(write, split, content, options, message):
    path = write("t.csv", content)
    with pytest.raises(UserError) as error:
        build(path, split, **{"target": "class", **options})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_path_is_answered_by_the_nearest(write, split, tmp_path):
    write("houses.csv", text())
    with pytest.raises(UserError, match=r"no such file or folder; did you mean '.*houses.csv'"):
        build(str(tmp_path / "house.csv"), split)
    with pytest.raises(UserError, match=r"this is a folder; expected a CSV file, e.g. .*houses"):
        build(str(tmp_path), split)
    with pytest.raises(UserError, match="data.path is missing"):
        build(None, split)
    with pytest.raises(UserError, match="does not exist"):
        build(str(tmp_path / "no" / "such.csv"), split)


def test_evaluation_on_another_file(write, split):
    trained = build(write("a.csv", text()), split)
    json_ = trained.encoding.to_json()
    path = write("b.csv", text(n=4, seed=5).replace("Oslo", "Paris"))
    data = build(path, split, target=None, encoding=json_)
    assert len(data.splits["all"]) == 4 and data.facts["class_names"] == ["no", "yes"]
    _, read = trained.encoding.read(path)
    assert torch.equal(data.splits["all"].columns["input"], read["input"])
    with pytest.raises(UserError, match=r"the data has 3 classes \(maybe, no, yes\), the run was"):
        build(write("c.csv", text().replace("yes", "maybe", 1)), split, encoding=json_)
    with pytest.raises(UserError, match="the column 'city' that the run was trained on is missing"):
        build(write("d.csv", text(header="id,age,town,income,class")), split, encoding=json_)
