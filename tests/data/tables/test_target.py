"""What is predicted: classes as they are named, numbers as they are written."""

import pytest
from sample_tables import build_csv

from zoo.errors import UserError


def csv_of(*labels):
    return "x,class\n" + "".join(f"{i * i % 7},{label}\n" for i, label in enumerate(labels))


@pytest.mark.parametrize(
    ("labels", "classes", "said"),
    [
        (["NA", "DE", "FR"], ["DE", "FR", "NA"], "'NA' (12 rows) taken as a class"),
        (["None", "mild", "nan"], ["None", "mild", "nan"], "'None' (12 rows), 'nan' (12 rows)"),
        (["Yes", "yes", " Yes ", "no"], ["Yes", "no", "yes"], "'Yes' and 'yes' are different"),
        (["04109", "10115"], ["04109", "10115"], "2 classes, so classification"),
        (["True", "False"], ["False", "True"], "2 classes"),
        (["0%", "50%"], ["0%", "50%"], "2 classes"),
        ([f"{n},5" for n in range(12)], None, None),
    ],
)
def test_the_classes_are_those_of_the_file_and_what_is_odd_is_said(
    write, split, labels, classes, said
):
    quoted = [f'"{label}"' for label in labels]
    data = build_csv(write("t.csv", csv_of(*(quoted * 12))), split)
    assert data.facts.get("class_names") == classes
    assert said is None or any(said in note for note in data.notes)


def test_a_missing_label_is_no_class(write, split):
    with pytest.raises(UserError, match=r"line 2: the target 'class' is missing.*\('NA' counts"):
        build_csv(write("t.csv", csv_of(*["NA", "0", "1"] * 12)), split)
    with pytest.raises(UserError, match="line 4: the target 'class' is missing; fill it in"):
        build_csv(write("t.csv", csv_of("a", "b", "NA", *["a", "b"] * 20)), split)
    with pytest.raises(UserError, match=r"line 2: .*\(likewise in line 5, 8, 11 and 8 more\)"):
        build_csv(write("t.csv", csv_of(*["", "0.5", "1.5"] * 12)), split)


def test_a_class_named_na_is_one_on_other_data(write, split):
    trained = build_csv(write("t.csv", csv_of(*["NA", "DE"] * 20)), split)
    json_ = trained.encoding.to_json()
    data = build_csv(write("u.csv", csv_of("DE", "NA")), split, encoding=json_)
    assert data.splits["all"].columns["target"].tolist() == [0, 1]


def test_numbers_are_read_as_in_training(write, split):
    prices = [f'"${n * 37 % 90 + 1},{n * 11 % 1000:03d}"' for n in range(40)]
    trained = build_csv(write("t.csv", csv_of(*prices)), split)
    assert trained.facts["num_outputs"] == 1
    assert "target 'class': '$1,000' is read as 1000.0" in trained.notes
    json_ = trained.encoding.to_json()
    data = build_csv(write("u.csv", csv_of('"$1,500"', "1500")), split, encoding=json_)
    values = data.splits["all"].columns["target"] * trained.facts["target_std"]
    assert (values + trained.facts["target_mean"]).flatten().tolist() == pytest.approx([1500] * 2)
