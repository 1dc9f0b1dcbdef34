"""zoo.load: what a run's folder holds, and predictions for values of Python.

tests/test_every_export.py compares the predictions of every family with the command's.
"""

import os
import shutil
import warnings
from datetime import date

import numpy
import pytest
import torch
from PIL import Image

import zoo
from zoo.data.tables.sklearn_cache import load_sklearn
from zoo.restore import restore
from zoo.runs import find


@pytest.fixture(scope="module")
def digits(data_root):
    """Six digits as bytes, (6, 8, 8)."""
    data = load_sklearn("digits", str(data_root))
    return (data.input[:6].view(-1, 8, 8) * 255 / 16).round().byte().numpy()


def answers(rows):
    return [{key: value for key, value in row.items() if key != "input"} for row in rows]


class Frame:
    """A DataFrame of pandas, as far as it is asked."""

    columns = ("area", "garden")

    def __init__(self, rows):
        self.rows = rows

    def to_dict(self, orient):
        return list(map(dict, self.rows)) if orient == "records" else None


class Series:
    """One of its rows."""

    def to_dict(self):
        return {"area": numpy.float64(50), "garden": "yes"}


def test_what_a_run_has_recorded(digits_run):
    run = zoo.load(digits_run)
    assert run.path == digits_run and os.fspath(run) == str(digits_run)
    assert run.config.model["width"] == 32 and run.config.trainer.max_steps == 40
    assert run.result["status"] == "done" and run.result["test"]["accuracy"] > 0.5
    splits = {row["split"] for row in run.metrics}
    assert splits == {"train", "val", "test"} and run.metrics[-1]["step"] == 40
    assert repr(run) == f"zoo.load('{digits_run}')" and zoo.load(run).path == run.path
    assert run._repr_html_().count("<svg") == 2


def test_the_model_has_the_best_weights(digits_run, monkeypatch):
    run = zoo.load(digits_run)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    model = run.model
    assert torch.equal(torch.rand(1), expected), "loading has drawn random numbers"
    assert not model.training and run.model is model
    wanted = restore(digits_run).model.state_dict()
    assert all(torch.equal(model.state_dict()[name], wanted[name]) for name in wanted)
    last = zoo.load(digits_run, checkpoint=40).model.state_dict()
    assert not all(torch.equal(last[name], wanted[name]) for name in wanted)


def test_a_folder_of_runs_is_its_newest_and_last_the_newest_of_all(
    rain_run, tmp_path, monkeypatch, capsys
):
    for name in ("2026-01-01_00-00-00", "2026-01-02_00-00-00"):
        shutil.copytree(rain_run, tmp_path / "outputs" / "rain" / name)
    monkeypatch.chdir(tmp_path)
    assert zoo.load("outputs/rain").path.name == "2026-01-02_00-00-00"
    assert zoo.load("last").path == find.OUTPUTS / "rain" / "2026-01-02_00-00-00"
    assert "is the newest run there" in capsys.readouterr().err
    for wrong, said in (("nowhere", "there is no such folder"), ("", "names no folder")):
        with pytest.raises(zoo.UserError, match=said):
            zoo.load(wrong)


def test_a_run_that_has_just_begun(rain_run, tmp_path):
    for name in ("config.yaml", "dataset.json"):
        shutil.copy(rain_run / name, tmp_path)
    run = zoo.load(tmp_path)
    assert run.result == {} and run.metrics == [] and "unfinished" in run._repr_html_()
    with pytest.raises(zoo.UserError, match="holds no checkpoint"):
        run.predict({"temperature": 30, "humidity": 90})


def test_images_as_files_as_pillows_and_as_arrays(digits_run, digits, tmp_path):
    run, files = zoo.load(digits_run), []
    for number, pixels in enumerate(digits):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(files[-1])
    expected = run.predict(tmp_path)
    assert [row["input"] for row in expected] == [str(file) for file in files]
    assert run.predict(files) == expected == run.predict([str(file) for file in files])
    assert run.predict([Image.open(file) for file in files]) == expected
    forms = {
        "batch": digits,
        "several": list(digits),
        "of one channel": digits[..., None],
        "whole numbers": digits.astype(numpy.int64),
        "floats": digits / 255,
        "tensor": torch.from_numpy(digits)[:, None],
        "tensor of grey images": torch.from_numpy(digits),
        "colours": numpy.stack([digits] * 3, axis=-1),
    }
    for name, form in forms.items():
        rows = run.predict(form)
        assert answers(rows) == answers(expected), name
        assert [row["input"] for row in rows] == [f"input:{n}" for n in range(1, 7)]
    (alone,) = run.predict(digits[2])
    assert alone["class"] == expected[2]["class"]
    mixed = run.predict([files[0], digits[1], Image.fromarray(digits[2])])
    assert [row["input"] for row in mixed] == [str(files[0]), "input:2", "input:3"]


def test_rows_as_dictionaries_and_as_tables_of_pandas(price_run, tmp_path):
    run = zoo.load(price_run)
    rows = [{"area": 50, "garden": "yes"}, {"area": numpy.float32(60.5), "garden": "no"}]
    file = tmp_path / "rows.csv"
    file.write_text("area,garden\n50,yes\n60.5,no\n")
    expected = answers(run.predict(file))
    assert answers(run.predict(rows)) == expected == answers(run.predict(Frame(rows)))
    (first,) = run.predict(rows[0])
    assert first["value"] == pytest.approx(expected[0]["value"], rel=1e-6)
    assert answers(run.predict(Series())) == answers([first]) == answers(run.predict([rows[0]]))
    assert first["input"] == '{"area": 50, "garden": "yes"}'
    with pytest.warns(UserWarning, match="column 'area' is missing in the row"):
        empty = run.predict({"area": float("nan"), "garden": "yes"})
    with pytest.warns(UserWarning):
        assert answers(run.predict({"area": None, "garden": "yes"})) == answers(empty)
    with pytest.raises(zoo.UserError, match="'2026-01-02' in the column 'area'"):
        run.predict({"area": date(2026, 1, 2), "garden": "yes"})


def test_what_is_said_of_an_input_is_a_warning_at_the_callers_line(price_run):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        zoo.load(price_run).predict({"area": 50, "garden": "Yes"})
    assert [warning.filename for warning in said] == [__file__]
    assert "did you mean 'yes'?" in str(said[0].message)


def test_texts_and_their_options(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("poem")
    (folder / "poem.txt").write_text("the cat sat\non the mat\n" * 60)
    path = trained(
        "gpt", "model=gpt", "task=causal_lm", "data=text", f"data.path={folder / 'poem.txt'}",
        f"data.root={folder}", "data.tokenizer=char", "data.block_size=16", "model.heads=2",
        "model.width=16", "model.depth=1", "trainer.max_steps=4",
    )  # fmt: skip
    run = zoo.load(path)
    rows = run.predict(["the ", "on "], max_tokens=5, temperature=0)
    assert [row["input"] for row in rows] == ["the ", "on "]
    assert all(len(row["text"]) == 5 for row in rows)
    drawn = run.predict("the ", max_tokens=5, samples=2, seed=1)
    assert [row["sample"] for row in drawn] == [1, 2]
    stopped = run.predict("the ", max_tokens=20, temperature=0, stop=[rows[0]["text"][:3]])
    assert stopped[0]["text"] == ""
    for options, said in (
        ({"temprature": 1}, "unknown option 'temprature=1'; did you mean 'temperature='?"),
        ({"temperature": "warm"}, "temperature: got 'warm' (str), expected float"),
        ({"top_p": 0}, "top_p=0: expected above 0"),
    ):
        with pytest.raises(zoo.UserError) as caught:
            run.predict("the ", **options)
        assert said in str(caught.value)
    with pytest.raises(zoo.UserError, match="input is of type int; expected a text"):
        run.predict(5)
    assert run.predict([]) == []


def test_an_array_of_one_value_is_no_list(digits_run):
    for value in (numpy.array("7.png"), torch.tensor(0.5)):
        with pytest.raises(zoo.UserError, match="input has the shape"):
            zoo.load(digits_run).predict(value)


def test_values_that_a_model_does_not_take(digits_run, rain_run):
    shape = numpy.zeros((1, 8, 8, 2), numpy.uint8)
    for run, value, said in (
        (digits_run, 5, "input is of type int; expected a file, a Pillow image"),
        (digits_run, {"a": 1}, "input is of type dict; expected a file, a Pillow image"),
        (digits_run, shape, "input has the shape (1, 8, 8, 2); expected"),
        (digits_run, shape[..., 0] - 5.0, "input has values from -5.0 to -5.0 (float64); expected"),
        (digits_run, numpy.full((8, 8), numpy.nan), "input has values from nan to nan"),
        (digits_run, numpy.full((8, 8), 300), "whole numbers of 0 to 255, or floats of 0 to 1"),
        (digits_run, "nowhere.png", "nowhere.png: no such file or folder"),
        (rain_run, 5, "input is of type int; expected a row as {name: value, ...}"),
        (rain_run, numpy.zeros((2, 2)), "input is of type ndarray; expected a row"),
        (rain_run, {"temperature": 3}, "the column 'humidity'"),
        (rain_run, {}, "expected JSON rows that name their values"),
        (rain_run, {"temperature": [1], "humidity": 2}, "'[1]' in the column 'temperature'"),
    ):
        with pytest.raises(zoo.UserError) as caught:
            zoo.load(run).predict(value)
        assert said in str(caught.value)
    assert zoo.load(rain_run).predict([]) == []
