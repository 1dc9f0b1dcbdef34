"""The user's own table: what is taken how, and each mistake named by file, line and column."""

import pytest
import torch
from sample_tables import build_csv, csv_text

from zoo.errors import UserError


def test_rows_stay_with_their_targets(write, split):
    """The target is a function of the row, so a wrong pairing shows."""
    lines = ["x,y"] + [f"{i * 0.5},{i * 2.0 + 0.25}" for i in (5, 3, 8, 1, 9, 2, 7, 4, 6, 0) * 3]
    data = build_csv(write("t.csv", "\n".join(lines)), split, target="y")
    assert data.facts["num_outputs"] == 1
    column = data.encoding.columns[0]
    for source in data.splits.values():
        x = source.columns["input"][:, 0] * column.std + column.mean
        y = source.columns["target"][:, 0] * data.facts["target_std"] + data.facts["target_mean"]
        assert torch.allclose(y, 4 * x + 0.25, atol=1e-4)


def replaced(line, old, new):
    lines = csv_text().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new, 1)
    return "\n".join(lines)


LINE_3 = csv_text().split("\n")[2]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "the file is empty"),
        ("\n \n", {}, "the file is empty"),
        ("a,class\n", {}, "there are no rows below the header"),
        (csv_text(header="id,age,age,income,class"), {}, "line 1: two columns are named 'age'"),
        (replaced(3, ",", ",7,"), {}, "line 3: 6 cells, expected 5 as in the header"),
        (replaced(4, ",", " "), {}, "line 4: 4 cells, expected 5"),
        (replaced(9, "yes", ""), {}, "line 9: the target 'class' is missing"),
        (replaced(9, "yes", "NA"), {}, "line 9: the target 'class' is missing"),
        (replaced(6, "0.", "O."), {}, "line 6: 'O."),
        (replaced(6, "0.", "O."), {}, "in the column 'income' is not a finite number; correct it, "
         "or data.categorical=[income]"),
        (replaced(6, "0.", "1e999"), {}, "is not a finite number"),
        (csv_text(), {"target": None}, "data.target is missing: the column to predict (one of: id"),
        (csv_text(), {"target": "clas"}, "unknown column 'clas'; did you mean 'class'?"),
        (csv_text(), {"drop": ["ages"]}, "data.drop: "),
        (csv_text(), {"columns": ["Age"]}, "did you mean 'age'?"),
        (csv_text(), {"kind": "regression"}, "line 2: 'no' in the column 'class' is not a finite"),
        (csv_text(), {"numeric": ["city"]}, "in the column 'city' is not a finite number"),
        (csv_text(), {"numeric": ["age"], "categorical": ["age"]}, "both name 'age'"),
        (csv_text(), {"delimiter": "::"}, "data.delimiter='::': expected one character"),
        (csv_text(), {"delimiter": ";"}, "unknown column 'class'"),
        (csv_text().replace("yes", "no"), {}, "the target 'class' is 'no' in every row"),
        (csv_text(3), {}, "split is empty"),
        (csv_text(), {"columns": ["class"]}, "no column is left to learn from; data.columns and"),
        ("n,class\n" + "".join(f"name{i},{i % 2}\n" for i in range(50)), {},
         "column 'n' left out: 50 texts in 50 rows ('name0'), an id; data.categorical=[n] keeps"),
        ("n,class\n" + "".join(f"{i * i},name{i}\n" for i in range(50)), {},
         "the target 'class' has 50 distinct values in 50 rows"),
        ('a,class\n"x,1\n', {}, "correct the quotes"),
        (csv_text().encode() + b"9,30,K\xf6\x81,0.5,no\n", {}, "line 62: not UTF-8 (byte 0xf6 at"),
    ],
)  # fmt: skip
def test_mistakes_are_named(write, split, content, options, message):
    path = write("t.csv", content)
    with pytest.raises(UserError) as error:
        build_csv(path, split, **{"target": "class", **options})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_path_is_answered_by_the_nearest(write, split, tmp_path):
    write("houses.csv", csv_text())
    with pytest.raises(UserError, match=r"no such file or folder; did you mean '.*houses.csv'"):
        build_csv(str(tmp_path / "house.csv"), split)
    with pytest.raises(UserError, match=r"this is a folder; expected a CSV file, e.g. .*houses"):
        build_csv(str(tmp_path), split)
    with pytest.raises(UserError, match="data.path is missing"):
        build_csv(None, split)
    with pytest.raises(UserError, match="does not exist"):
        build_csv(str(tmp_path / "no" / "such.csv"), split)


def test_evaluation_on_another_file(write, split):
    trained = build_csv(write("a.csv", csv_text()), split)
    json_ = trained.encoding.to_json()
    path = write("b.csv", csv_text(n=4, seed=5).replace("Oslo", "Paris"))
    data = build_csv(path, split, target=None, encoding=json_)
    assert len(data.splits["all"]) == 4 and data.facts["class_names"] == ["no", "yes"]
    _, read = trained.encoding.read(path)
    assert torch.equal(data.splits["all"].columns["input"], read["input"])
    with pytest.raises(UserError, match=r"the data has 3 classes \(maybe, no, yes\), the run was"):
        build_csv(write("c.csv", csv_text().replace("yes", "maybe", 1)), split, encoding=json_)
    with pytest.raises(UserError, match="the column 'city' that the run was trained on is missing"):
        build_csv(
            write("d.csv", csv_text(header="id,age,town,income,class")), split, encoding=json_
        )


def test_the_header_shows_the_first_columns_and_the_log_all(write, train):
    names = [f"x{k}" for k in range(30)]
    rows = [",".join([*(str(i * k % 17) for k in range(2, 32)), str(i % 2)]) for i in range(60)]
    path = write("wide.csv", "\n".join([",".join([*names, "class"]), *rows]))
    run = train("model=mlp", "data=csv", f"data.path={path}", "data.target=class", "trainer=debug")
    assert run.code == 0, run.err
    log = (run.path / "train.log").read_text()
    assert "  x3      number    0 to 16\n" in run.out and "  x3      number    0 to 16\n" in log
    assert "  and 19 more (19 numbers)" in run.out
    assert "  x29 " not in run.out and "  x29     number   0 to 16\n" in log
