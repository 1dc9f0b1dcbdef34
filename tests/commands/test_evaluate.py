"""evaluate.py: the run's own metrics again; other data by its encoding; mistakes in one line."""

import hashlib
import json
import shutil

import pytest

from zoo.commands.evaluate import main
from zoo.commands.outcome import describe
from zoo.terminal import columns


def evaluated(command, *arguments):
    done = command(main, *arguments, "json=true")
    assert done.code == 0, done.err
    return json.loads(done.out)


def result_of(path):
    return json.loads((path / "result.json").read_text())


def snapshot(path):
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return [(str(p), hashlib.sha256(p.read_bytes()).hexdigest()) for p in files]


@pytest.mark.parametrize("name", ["digits_run", "rain_run", "price_run"])
def test_the_test_metrics_are_those_in_result_json(name, command, request):
    path = request.getfixturevalue(name)
    before = snapshot(path)
    first, second = evaluated(command, f"run={path}"), evaluated(command, f"run={path}")
    assert first["metrics"] == result_of(path)["test"]
    assert first == second and first["warnings"] == []
    assert first["samples"] == result_of(path)["data"]["sizes"]["test"]
    details = path / "test_details.json"
    assert first["details"] == (json.loads(details.read_text()) if details.exists() else {})
    assert snapshot(path) == before


def test_validation_metrics_are_those_of_the_best_step(digits_run, command):
    outcome = evaluated(command, f"run={digits_run}", "split=val")
    best = result_of(digits_run)["best"]
    assert outcome["step"] == best["step"]
    assert outcome["metrics"] == result_of(digits_run)["val"]


def test_micro_batches_are_those_of_the_run(trained, command):
    """To the last bit: sums of other parts round otherwise."""
    settings = ("model.width=8", "data.samples=900", "data.batch_size=8", "trainer.accumulate=4")
    run = trained("parts", "model=mlp", "data=rain", *settings)
    assert evaluated(command, f"run={run}")["metrics"] == result_of(run)["test"]
    evaluated(command, f"run={run}", "data.batch_size=2")  # less than its micro-batches


def test_other_splits_and_checkpoints(digits_run, command):
    sizes = result_of(digits_run)["data"]["sizes"]
    every = evaluated(command, f"run={digits_run}", "split=all", "checkpoint=last")
    train = evaluated(command, f"run={digits_run}", "split=train")
    assert every["samples"] == sum(sizes.values()) and train["samples"] == sizes["train"]
    support = [row["support"] for row in every["details"]["classes"].values()]
    assert sum(support) == every["samples"] == sum(map(sum, every["details"]["confusion"]))
    assert every["checkpoint"] == "last-00000040"


def test_the_printed_table_holds_the_metrics(digits_run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = command(main, f"run={digits_run}")
    test = result_of(digits_run)["test"]
    assert f"{test['accuracy']:.4f}" in done.out and f"{test['loss']:.4f}" in done.out
    assert "precision" in done.out and "support" in done.out and "true \\ predicted" in done.out
    body = done.out.split("\n", 1)[1]  # the first line names the run, however long
    assert max(map(len, body.splitlines())) <= 80


def test_a_matrix_too_wide_for_the_terminal_is_left_out(digits_run, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    done = command(main, f"run={digits_run}")
    assert "too wide for this terminal" in done.out and "true \\ predicted" not in done.out


def test_a_matrix_of_chinese_classes_fits(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names, row = [f"很长的类别名称{k}" for k in range(7)], dict.fromkeys(("f1", "support"), 1.0)
    outcome = {"run": "r", "checkpoint": "c", "data": "d", "split": "test", "samples": 9}
    details = {"classes": dict.fromkeys(names, row), "confusion": [[1] * 7] * 7}
    shown = describe(outcome | {"metrics": {"loss": 1.0}, "details": details})
    matrix = shown.partition("predicted\n")[2].splitlines()
    assert len(matrix) == 8 and max(map(columns, matrix)) <= 80 and "很长的" in matrix[0]


def test_very_many_classes_show_the_worst():
    row = {"precision": 1.0, "recall": 1.0, "support": 3}
    classes = {f"c{k}": {**row, "f1": k / 60} for k in reversed(range(60))}
    shown = describe(
        {"run": "r", "checkpoint": "c", "data": "d", "split": "test", "samples": 9}
        | {"metrics": {"loss": 1.0}, "details": {"classes": classes, "confusion": [[0] * 60] * 60}}
    )
    assert "c0 " in shown and "c59 " not in shown and "the 50 of 60" in shown


def test_other_data_by_the_runs_encoding(price_run, table, tmp_path, command):
    """Half the rows, elsewhere: the same standardisation, all of them evaluated."""
    other = tmp_path / "new.csv"
    other.write_text("\n".join(table.read_text().splitlines()[:61]) + "\n")
    own = evaluated(command, f"run={price_run}", "split=all")
    half = evaluated(command, f"run={price_run}", f"data.path={other}")
    assert (half["split"], half["samples"], half["warnings"]) == ("all", 60, [])
    assert 0 < half["metrics"]["rmse"] < 2 * own["metrics"]["rmse"] + 1
    named = evaluated(command, f"run={price_run}", "data=csv", f"data.path={other}")
    assert named["metrics"] == half["metrics"]


def test_the_runs_own_data_under_another_name_is_noticed(price_run, table, tmp_path, command):
    copy = tmp_path / "copy.csv"
    copy.write_text(table.read_text())
    outcome = evaluated(command, f"run={price_run}", f"data.path={copy}")
    assert "training samples" in outcome["warnings"][0]
    assert (
        evaluated(command, f"run={price_run}", f"data.path={copy}", "split=test")["warnings"] == []
    )


@pytest.mark.parametrize("split", ["test", "val"])
def test_own_data_that_is_divided_anew_holds_training_samples(price_run, split, command):
    outcome = evaluated(command, f"run={price_run}", "data.split_seed=7", f"split={split}")
    assert (
        "split differently (data.split_seed=7): training samples may be" in outcome["warnings"][0]
    )


def test_data_that_changed_since_the_run_is_a_warning(trained, table, tmp_path, command):
    file = tmp_path / "houses.csv"
    file.write_text(table.read_text())
    path = trained(
        "changed", "model=mlp", "data=csv", f"data.path={file}", "task=regression",
        "data.target=price",
    )  # fmt: skip
    file.write_text(table.read_text().replace("\n20,no,", "\n21,no,"))
    outcome = evaluated(command, f"run={path}")
    assert "the data changed since the run" in outcome["warnings"][0]
    done = command(main, f"run={path}")
    assert done.code == 0 and done.err.startswith("warning: the data changed")


def test_another_sample_of_the_same_distribution(rain_run, command):
    outcome = evaluated(command, f"run={rain_run}", "data.seed=7")
    assert (outcome["split"], outcome["samples"]) == ("all", 300)
    assert outcome["metrics"]["accuracy"] > 0.6


def test_data_in_another_place_is_the_same_data(digits_run, tmp_path, command):
    outcome = evaluated(command, f"run={digits_run}", f"data.root={tmp_path}", "data.batch_size=50")
    assert outcome["split"] == "test" and outcome["warnings"] == []
    test = result_of(digits_run)["test"]
    assert outcome["metrics"] == pytest.approx(test, rel=1e-6)


def test_a_run_on_a_part_of_noisy_labels_is_evaluated_on_them(trained, command):
    part = (
        "data.train_size=40",
        "data.label_noise=0.25",
        "data.samples=300",
        "trainer.max_steps=4",
    )
    path = trained("part", "model=mlp", "model.width=8", "data=rain", *part)
    result = result_of(path)
    assert result["data"]["sizes"]["train"] == 40
    assert "10 of 40 training labels are replaced" in (path / "train.log").read_text()
    assert evaluated(command, f"run={path}")["metrics"] == result["test"]
    noisy = evaluated(command, f"run={path}", "split=train")
    assert noisy["samples"] == 40 and "10 of 40 training labels" in noisy["notes"][0]
    clean = evaluated(command, f"run={path}", "split=train", "data.label_noise=0")
    assert clean["samples"] == 40 and clean["metrics"] != noisy["metrics"]


def test_test_images_are_moved_for_an_evaluation(digits_run, tmp_path, command):
    """Also of a run from before there was such a setting."""
    older = tmp_path / "older"
    shutil.copytree(digits_run, older)
    file = older / "config.yaml"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "test_shift" not in line))
    first, second = (
        evaluated(command, f"run={run}", "data.test_shift=2") for run in (digits_run, older)
    )
    assert first["split"] == "test" and first["notes"] == [
        "data.test_shift=2: the images of split=test are moved by so many pixels"
    ]
    assert first["metrics"]["accuracy"] < result_of(digits_run)["test"]["accuracy"] - 0.2
    assert second["metrics"] == first["metrics"]
    unmoved = evaluated(command, f"run={digits_run}", "data.test_shift=2", "split=val")
    assert unmoved["warnings"] == [
        "data.test_shift=2 has no effect on split=val: it changes test and all alone"
    ]


def test_an_overfitted_run_is_evaluated_on_its_batch(trained, command):
    path = trained("overfit", "model=mlp", "data=rain", "trainer=overfit", "data.samples=300")
    outcome = evaluated(command, f"run={path}")
    assert outcome["metrics"] == result_of(path)["test"]
    assert "first batch" in outcome["warnings"][0]


def test_a_run_on_a_few_samples_is_evaluated_on_them(trained, command):
    path = trained("few", "model=mlp", "data=rain", "data.samples=1000", "trainer=debug")
    result = result_of(path)
    assert result["data"]["sizes"] == {"train": 64, "val": 64, "test": 64}
    assert "only 64 of each split are used" in (path / "train.log").read_text()
    outcome = evaluated(command, f"run={path}")
    assert outcome["metrics"] == result["test"] and outcome["samples"] == 64
    assert "64 samples are used" in outcome["warnings"][0]
    other = evaluated(command, f"run={path}", "data.seed=7")
    assert (other["split"], other["samples"], other["warnings"]) == ("all", 1000, [])


def test_infinite_metrics_are_null_in_json(price_run, table, tmp_path, command):
    """All targets alike: R2 is not a number, and JSON has no word for that."""
    other = tmp_path / "new.csv"
    other.write_text("area,garden,price\n50,no,150\n60,yes,150\n")
    outcome = evaluated(command, f"run={price_run}", f"data.path={other}")
    assert outcome["metrics"]["r2"] is None


MISTAKES = [
    ("rain_run", ["split=tset"], "unknown split 'tset'; did you mean 'test'?"),
    (
        "rain_run",
        ["data=wine"],
        "'temperature', 'humidity' that the run was trained on are missing",
    ),
    ("rain_run", ["data=digits"], "the data holds images, the run was trained on tables"),
    ("digits_run", ["data=rain"], "the data holds tables, the run was trained on images"),
    ("rain_run", ["data.sample=3"], "unknown key 'data.sample'; did you mean 'data.samples'?"),
    ("rain_run", ["data=csb"], "unknown choice for data: 'csb'; did you mean 'csv'?"),
    ("rain_run", ["model=cnn"], "'model=cnn': a run is evaluated as it was trained"),
    ("rain_run", ["checkpoint=bset"], "unknown checkpoint 'bset'; did you mean 'best'?"),
    ("rain_run", ["splt=val"], "unknown option 'splt=val'; did you mean 'split='?"),
    ("rain_run", ["json=maybe"], "json=maybe: expected true or false"),
    ("rain_run", ["device=gpu"], "unknown trainer.device 'gpu'"),
    ("rain_run", ["run="], "run= names no folder"),
    ("rain_run", ["data.name=digits"], "other data are chosen by data=NAME"),
    ("rain_run", ["data.batch_size=0"], "data.batch_size: got 0, expected a whole number, 1 or"),
    ("rain_run", ["data.workers=-1"], "data.workers: got -1, expected a whole number, 0 or more"),
    ("rain_run", ["data.samples=few"], "data.samples: got 'few' (str), expected int"),
    ("price_run", ["data.drop=[rooms]"], "reads its input as in training, with data.drop=null"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), MISTAKES)
def test_mistakes_get_one_line(name, arguments, words, refused, request, data_root):
    roots = [f"data.root={data_root}"] if {"data=wine", "data=digits"} & set(arguments) else []
    assert words in refused(main, f"run={request.getfixturevalue(name)}", *arguments, *roots)


def test_classes_that_the_run_does_not_know(rain_run, tmp_path, refused):
    file = tmp_path / "snow.csv"
    file.write_text("temperature,humidity,weather\n1,90,snow\n30,20,dry\n9,9,rain\n")
    line = refused(main, f"run={rain_run}", "data=csv", f"data.path={file}")
    assert "3 classes" in line and "trained on 2 (dry, rain)" in line


def test_a_run_is_needed(refused, tmp_path):
    assert refused(main).startswith("run= is missing; usage: python evaluate.py")
    assert "there is no such folder" in refused(main, f"run={tmp_path / 'x'}")
