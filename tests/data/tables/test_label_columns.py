"""Labels in a cell or in columns of 0 and 1, and what is wrong with them, in one line."""

import pytest
import torch
from sample_tables import build_csv

from zoo.errors import UserError

LABELS = (["a", "b"], ["b"], [], ["a", "c"])


def in_cells(rows=40, sign=";"):
    lines = [f'{i * 0.5},"{sign.join(LABELS[i % 4])}"' for i in range(rows)]
    return "\n".join(["x,tags", *lines])


def in_columns(rows=40):
    lines = [",".join([str(i * 0.5), *(str(int(n in LABELS[i % 4])) for n in "abc")])
             for i in range(rows)]  # fmt: skip
    return "\n".join(["x,a,b,c", *lines])


@pytest.mark.parametrize("sign", [";", "|", ","])
def test_cells_and_columns_are_the_same_labels(write, split, sign):
    cells = build_csv(write("t.csv", in_cells(sign=sign)), split, target="tags", kind="multi_label")
    columns = build_csv(write("u.csv", in_columns()), split, target="a,b,c")
    for name, source in cells.splits.items():
        assert torch.equal(source.columns["target"], columns.splits[name].columns["target"])
        assert torch.equal(source.columns["input"], columns.splits[name].columns["input"])
    names = ("num_classes", "num_outputs", "label_names", "label_counts", "num_samples")
    assert {n: cells.facts[n] for n in names} == {n: columns.facts[n] for n in names}
    assert cells.facts["label_names"] == ["a", "b", "c"] and "class_names" not in cells.facts
    assert cells.facts["num_samples"] == len(cells.splits["train"])
    assert cells.contents[0] == ("tags", "target", "3 labels: a (20), b (20), c (10)")
    assert columns.contents[2] == ("c", "target", "label of 10 of 40 rows")
    assert f"target 'tags': 3 labels separated by '{sign}' (data.separator)" in cells.notes
    assert "10 of 40 samples have no label" in cells.notes


def test_each_label_is_in_each_split(write, split):
    text = in_cells(200) + '\n1,"a;rare"\n2,"a;rare"\n3,rare\n'
    data = build_csv(write("t.csv", text), split, target="tags", kind="multi_label")
    rare = data.facts["label_names"].index("rare")
    assert all(source.columns["target"][:, rare].any() for source in data.splits.values())


def test_another_file_has_the_labels_of_the_run(write, split):
    trained = build_csv(write("a.csv", in_cells()), split, target="tags", kind="multi_label")
    json = trained.encoding.to_json()
    data = build_csv(write("b.csv", "x,tags\n1,c\n2,\n3,b;a\n"), split, target=None, encoding=json)
    expected = torch.tensor([[0, 0, 1], [0, 0, 0], [1, 1, 0]]).float()
    assert torch.equal(data.splits["all"].columns["target"], expected)
    with pytest.raises(UserError, match=r"c.csv, the target 'tags': the data has the label 'z'"):
        build_csv(write("c.csv", "x,tags\n1,z\n"), split, target=None, encoding=json)
    columns = build_csv(write("d.csv", in_columns()), split, target="c,b,a").encoding.to_json()
    data = build_csv(write("e.csv", "a,x,c,b\nyes,1,no,0\n"), split, target=None, encoding=columns)
    assert data.facts["label_names"] == ["c", "b", "a"]
    assert data.splits["all"].columns["target"].tolist() == [[0.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (in_cells() + "\n1,NA", {"kind": "multi_label", "target": "tags"},
         "line 42: 'NA' in the target 'tags' is missing; leave the cell empty for no label"),
        (in_columns() + "\n1,2,0,", {"kind": "multi_label", "target": "a,b,c"},
         "line 42: '2' in the target 'a' is neither 0 nor 1; line 42: the target 'c' is missing"),
        (in_columns(1) + "\n2,1,0,1" * 30, {"target": "a,b,c"},
         "the target 'a' is '1' in every row; leave it out"),
        ("x,tags\n" + "".join(f"{i},n{i}\n" for i in range(30)),
         {"kind": "multi_label", "target": "tags"}, "has 30 distinct labels in 30 rows"),
        ("x,tags\n1,a\n2,a\n3,\n", {"kind": "multi_label", "target": "tags"},
         "the target 'tags' has 'a' alone; expected two labels or more, separated by ';'"),
        (in_cells(), {"target": "tags"}, "for labels such as a, b: task=multi_label"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(write, split, content, options, message):
    with pytest.raises(UserError) as error:
        build_csv(write("t.csv", content), split, **options)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_classes_that_look_like_several_labels_are_noted(write, split):
    data = build_csv(write("t.csv", in_cells().replace('""', "none")), split, target="tags")
    hint = (
        "target 'tags': some classes look like several; for labels such as a, b: task=multi_label"
    )
    assert data.facts["num_classes"] == 4 and any(note.startswith(hint) for note in data.notes)
