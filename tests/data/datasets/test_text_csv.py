"""The user's own texts and classes: columns, mistakes, a whole run."""

import csv
import io
import json
from collections import Counter

import pytest
from sample_texts import build, decoded, table

from zoo.errors import UserError


def test_texts_stay_with_their_classes_and_are_in_one_split(write):
    content = table()
    data = build(write("t.csv", content), block_size=99)
    rows = [(r["body"], r["kind"]) for r in csv.DictReader(io.StringIO(content, newline=""))]
    found = [pair for split in ("train", "val", "test") for pair in decoded(data, split)]
    assert sorted(found) == sorted(rows)
    counts = {s: Counter(kind for _, kind in decoded(data, s)) for s in data.splits}
    assert counts["test"] == {"cat": 6, "dog": 6} and counts["val"] == {"cat": 6, "dog": 6}
    assert data.facts["class_counts"] == [18, 18]
    assert data.facts["num_outputs"] == data.facts["num_classes"] == 2


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (table(), {"path": None}, "data.path is missing"),
        (
            table(),
            {"text": None},
            "data.text is missing: the column of the texts (one of: id, body",
        ),
        (table(), {"target": None}, "data.target is missing: the column of the classes"),
        (table(), {"text": "bdy"}, "unknown column 'bdy'; did you mean 'body'?"),
        (table(), {"target": "knid"}, "unknown column 'knid'; did you mean 'kind'?"),
        (table(), {"target": "body"}, "data.text and data.target are both 'body'"),
        (table(), {"block_size": 0}, "data.block_size=0: expected 1 or more"),
        (table(), {"separator": ";"}, "data.separator=';' stands between the labels of a cell"),
        ("body,kind\n ,x\n,y\n", {}, "the column 'body' is empty in every row"),
        ("body,kind\na,x\nb,x\n", {}, "'x' in every row; expected two classes"),
        ("body,kind\na,x\nb,\n", {}, "line 3: the target 'kind' is missing"),
        (b"body,kind\na\xff,x\n", {}, "line 2: not UTF-8 (byte 0xff at offset 11)"),
    ],
)
def test_mistakes_are_one_line_each(write, content, options, said):
    options = {"path": write("t.csv", content), **options}
    with pytest.raises(UserError) as caught:
        build(**options)
    assert said in str(caught.value)


def test_rows_without_a_text_are_left_out(write):
    data = build(write("t.csv", table() + "61, ,cat\n62,,dog\n"))
    assert sum(map(len, data.splits.values())) == 60
    assert "2 rows without a text left out" in data.notes


def test_trains_evaluates_and_predicts(train, write, tmp_path, capsys):
    """From the command line: one word decides the class, and training finds it."""
    from zoo.commands.evaluate import main as evaluate
    from zoo.commands.predict import main as predict

    path = write("t.csv", table(n=120))
    trained = train(
        "model=rnn", "model.width=16", "model.depth=1", "data=text_csv", f"data.path={path}",
        "data.text=body", "data.target=kind", "data.tokenizer=word", "data.batch_size=20",
        "optim.lr=0.03", "trainer.max_epochs=6", "trainer.precision=fp32",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert json.loads((trained.path / "result.json").read_text())["test"]["accuracy"] == 1.0
    run = f"run={trained.path}"
    other = write("new.csv", "body,kind\nmy dog,dog\ncat,cat\n")
    assert evaluate([run, "data=text_csv", f"data.path={other}", "json=true", "device=cpu"]) == 0
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert outcome["samples"] == 2 and outcome["metrics"]["accuracy"] == 1.0
    assert predict([run, "input=the dog", "json=true", "device=cpu"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["class"] == "dog"


def test_texts_of_two_tokens_are_no_table_of_two_features(train, with_previews, write):
    """Whose decision surface would be drawn."""
    rows = [f"{['cat', 'dog'][i % 2]} {'abc'[i % 3]}x,{i % 2}" for i in range(40)]
    trained = train(
        "model=rnn", "model.width=4", "data=text_csv", "data.tokenizer=word", "data.text=body",
        f"data.path={write('t.csv', chr(10).join(['body,kind', *rows]))}", "data.target=kind",
        "data.batch_size=8", "trainer=debug",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    names = {path.name.split("-")[0] for path in (trained.path / "previews").iterdir()}
    assert names == {"confusion", "confusion_full"}


def test_a_text_may_have_several_labels(train, write, capsys):
    """Each word is a label; an empty cell has none."""
    from zoo.commands.evaluate import main as evaluate
    from zoo.commands.predict import main as predict

    animals, lines = ("cat", "dog", "owl"), []
    for i in range(120):
        seen = [name for k, name in enumerate(animals) if (i * 5 + i // 7) >> k & 1]
        lines.append(f"the {' and a '.join(seen) or 'house'} is here,{'|'.join(seen)}")
    path = write("t.csv", "\n".join(["body,tags", *lines]) + "\n")
    trained = train(
        "model=rnn", "model.width=16", "model.depth=1", "model.pool=mean", "data=text_csv",
        f"data.path={path}", "data.text=body", "data.target=tags", "data.tokenizer=word",
        "data.batch_size=20", "optim.lr=0.03", "trainer.max_epochs=10", "trainer.precision=fp32",
        "task=multi_label",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert "3 labels" in trained.out and "3 labels separated by '|'" in trained.out
    test = json.loads((trained.path / "result.json").read_text())["test"]
    assert test["macro_f1"] > 0.85 and test["average_precision"] > 0.9
    run = f"run={trained.path}"
    other = write("new.csv", "body,tags\nthe dog and a cat is here,cat|dog\nthe house is here,\n")
    assert evaluate([run, f"data.path={other}", "json=true", "device=cpu"]) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["details"]["labels"]
    assert [rows[name]["support"] for name in animals] == [1, 1, 0]
    bad = write("bad.csv", "body,tags\nowl,owls\n")
    assert evaluate([run, f"data.path={bad}", "device=cpu"]) == 2
    assert "the label 'owls', which the run was not trained on; did you" in capsys.readouterr().err
    assert predict([run, "input=the owl is here", "json=true", "device=cpu"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["labels"] == ["owl"]
