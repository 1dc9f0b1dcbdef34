"""Which columns are numbers, categories, ids; what the target asks for."""

import random

import pytest
from sample_tables import build_csv, csv_text

from zoo.data.contents import describe
from zoo.errors import UserError


def test_kinds_of_columns_are_found(write, split):
    data = build_csv(write("t.csv", csv_text()), split)
    assert data.facts["feature_names"] == [
        "age", "age missing", "city=New York", "city=Oslo", "city=Rome", "city other",
        "city missing", "income",
    ]  # fmt: skip
    assert data.facts["class_names"] == ["no", "yes"] and data.facts["num_classes"] == 2
    assert {k: len(v) for k, v in data.splits.items()} == {"train": 36, "val": 12, "test": 12}
    assert ("id", "left out", "counts the rows; data.numeric=[id] keeps it") in data.contents
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
    assert ("a", "left out", "'same' in every row") in data.contents
    assert ("b", "left out", "empty") in data.contents


def test_an_unnamed_index_column_is_left_out(write, split):
    data = build_csv(write("t.csv", csv_text(header=",age,city,income,class")), split)
    assert data.contents[1][:2] == ("column 1", "left out")


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_is_left_out_though_its_rows_were_shuffled(write, split, name):
    rows = [(i * 17 % 60, i % 7) for i in range(60)]  # sorted by class before
    body = "\n".join(f"{i},{x},{'ab'[i >= 30]}" for i, x in rows)
    data = build_csv(write("t.csv", f"{name},x,class\n{body}"), split)
    assert data.facts["feature_names"] == ["x"]
    assert "data.numeric=" in data.contents[1].about
    named = build_csv(write("u.csv", f"size,x,class\n{body}"), split)
    assert named.facts["feature_names"] == ["size", "x"]


def test_rows_that_are_in_two_splits_are_said(write, split):
    rows = [f"{i * i},{i % 7},{i % 2}" for i in range(60)]
    said = "of the val and test splits are also in the train split"
    data = build_csv(write("t.csv", "\n".join(["x,y,class", *rows, *rows[:30]])), split)
    (note,) = [note for note in data.notes if said in note]
    train, *others = (source.columns["input"].tolist() for source in data.splits.values())
    held_out = [row for rows in others for row in rows]
    assert note.startswith(f"{sum(row in train for row in held_out)} of {len(held_out)} rows")
    for unlike in ([*rows, rows[0]], [*rows, *(row[:-1] + "2" for row in rows[:30])]):
        data = build_csv(write("t.csv", "\n".join(["x,y,class", *unlike])), split)
        assert not [note for note in data.notes if said in note]


def rows_of(cells, delimiter=","):
    """A table of 40 rows; a cell by column and number."""
    lines = [delimiter.join([*cells, "class"])]
    for i in range(40):
        row = [str(cell(i)) for cell in cells.values()]
        lines.append(delimiter.join([*row, "yes" if i % 3 else "no"]))
    return "\n".join(lines) + "\n"


def test_the_header_says_how_each_column_was_understood(write, split):
    cells = {
        "paid": lambda i: f'"{i % 9 + 1},{i * 37 % 1000:03d}"' if i else "0",
        "share": lambda i: f"{i * 7 % 100}%",
        "gaps": lambda i: "None" if i % 5 == 0 else i % 7,
        "plz": lambda i: ("04109", "10115", "80331")[i % 3],
        "day": lambda i: f"{i % 28 + 1:02d}.{i % 12 + 1:02d}.2023",
        "seen": lambda i: f"{i % 12 + 1}/{i % 12 + 1}/2024",
        "town": lambda i: ("Rome", "rome", "Oslo")[i % 3],
        "code": lambda i: f"n{i}",
        "number": lambda i: 1000 + 3 * i,
    }
    data = build_csv(write("t.csv", rows_of(cells)), split)
    assert data.contents == [
        ("class", "target", "2 classes: yes (26), no (14)"),
        ("paid", "number", "0 to 9,962; '2,037' = 2037"),
        ("share", "number", "0 to 98; '0%' = 0"),
        ("gaps", "number", "0 to 6, 8 missing"),
        ("plz", "category", "3 values: 04109 (14), 10115 (13), 80331 (13)"),
        ("day", "date", "2023-01-01 to 2023-12-24 (d.m.y)"),
        ("seen", "date", "2024-01-01 to 2024-12-12 (m/d/y)"),
        ("town", "category", "3 values: Rome (14), Oslo (13), rome (13)"),
        ("code", "left out", "40 texts in 40 rows ('n0'), an id; data.categorical=[code] keeps it"),
        ("number", "number", "1,000 to 1,117"),
    ]
    assert data.notes == [
        "target 'class': 2 classes, so classification (data.kind)",
        "column 'seen': dates read as month/day/year, though day/month/year fits as well; if so, "
        "write them as 2024-12-31",
        "column 'town': 'Rome' and 'rome' are different categories; if not, write them alike",
        "column 'number': another whole number in each row; if an id, data.drop=[number]",
    ]
    names = data.facts["feature_names"]
    assert names[:4] == ["paid", "share", "gaps", "gaps missing"] and "plz=04109" in names
    assert [n for n in names if n.startswith("day")] == [
        "day elapsed", "day month", "day day", "day weekday",
    ]  # fmt: skip


def test_columns_of_numbers_and_words_are_said(write, split):
    cells = {
        "loss": lambda i: f"({i}.5)",
        "lead": lambda i: "<5" if i % 5 == 0 else i + 0.25,
        "rooms": lambda i: "studio" if i % 4 == 0 else i % 3,
        "code": lambda i: ("12A", "1E5", "7B")[i % 3],
    }
    data = build_csv(write("t.csv", rows_of(cells)), split)
    about = {name: (kind, about) for name, kind, about in data.contents}
    assert about["loss"] == ("number", "-39.5 to -0.5; '(0.5)' = -0.5")
    assert about["rooms"] == ("category", "4 values: 0 (10), 1 (10), 2 (10), studio (10)")
    assert about["lead"] == (
        "left out",
        "32 of 40 cells are numbers, '<5' is none (empty such cells to read it as numbers); "
        "data.categorical=[lead] keeps it",
    )
    _, rooms = data.notes
    assert rooms.startswith("column 'rooms' is read as categories: 30 of 40 cells are numbers, 'st")


def test_whole_numbers_that_lose_digits_are_said(write, split):
    cells = {
        "tweet": lambda i: (i + 1) * (10**17 + 1),
        "held": lambda i: 2**53 + 2 * (i * i),
        "long": lambda i: f"{10**17 + i * i}.5",
    }
    lost = "'100000000000000001' is read as 100000000000000000, since whole numbers above 2**53 "
    _, *notes = build_csv(write("t.csv", rows_of(cells)), split).notes
    assert notes == [
        f"column 'tweet': {lost}lose digits; if an id, data.drop=[tweet]",
        "column 'held': another whole number in each row; if an id, data.drop=[held]",
    ]
    data = build_csv(write("t.csv", rows_of(cells)), split, target="tweet", drop=["long"])
    assert f"target 'tweet': {lost}lose digits" in data.notes


def test_many_columns_take_few_lines(write, split):
    cells = {f"column_number_{n}": lambda i, n=n: (i * n) % 11 + 0.5 for n in range(2, 60)}
    cells |= {f"same{n}": lambda i: "x" for n in range(30)}
    shown, further = describe(build_csv(write("t.csv", rows_of(cells)), split).contents)
    assert len(shown) < 20 and all(len(line) <= 80 for line in shown + further)
    assert shown[1].split()[:3] == ["class", "target", "2"]
    assert shown[-1] == "  and 77 more (46 numbers, 31 left out): train.log lists them"
    assert len(further) == 77


def test_all_problems_of_a_file_are_reported_at_once(write, split):
    cells = {
        "size": lambda i: "tall" if i == 3 else i * 1.5,
        "day": lambda i: "2023-02-30" if i == 5 else f"2023-01-{i % 28 + 1:02d}",
        "price": lambda i: ("$1", "€2")[i % 2],
        "my share": lambda i: ("2.5", '"2,5"')[i % 2],
    }
    with pytest.raises(UserError) as error:
        build_csv(write("t.csv", rows_of(cells)), split)
    line = str(error.value)
    assert "line 5: 'tall' in the column 'size'" in line and "data.categorical=[size]" in line
    assert "line 7: '2023-02-30' in the column 'day' is not a date written as y-m-d" in line
    assert "the column 'price': its numbers have several units ('$' and '€')" in line
    assert "'2.5' has a decimal point, '2,5' a decimal comma" in line
    assert "'data.drop=[\"my share\"]'" in line, "as a shell takes it"


def test_decimal_commas_make_points_part_groups_in_the_whole_file(write, split):
    cells = {"a": lambda i: f"{i},5", "b": lambda i: f"{i + 1}.{i:03d}"}
    data = build_csv(write("t.csv", rows_of(cells, ";")), split)
    assert data.contents[2].about.endswith("'1.000' = 1000")
    first = data.encoding.read(write("u.csv", "a;b\n2,5;3.000\n2.5;3000\n"))[1]["input"]
    assert first[0].tolist() == first[1].tolist()
