"""evaluate.py of a model that draws: the table, and judges that fit."""

import json
import re

import pytest
import torch
from toys import Slow

import zoo.build
from zoo.commands.evaluate import main
from zoo.commands.judging import Judge
from zoo.judge.verdict import ROWS
from zoo.restore import restore


def test_it_is_the_verdict_of_the_training(command, drawing_run, digits_run):
    """To the last digit; with a judge, the Frechet distance besides."""
    plain = command(main, f"run={drawing_run}", "json=true")
    result = json.loads((drawing_run / "result.json").read_text())
    found = json.loads(plain.out)
    assert found["metrics"] == result["test"] and found["baseline"]["name"] in plain.out
    names = {"drawn_accuracy", "real_accuracy", "accuracy_gap", "smallest_class"}
    assert names < set(result["test"]) and names < set(result["baseline"]["test"])
    assert found["details"] == json.loads((drawing_run / "test_details.json").read_text())
    judged = command(main, f"run={drawing_run}", f"judge.from={digits_run}", "samples=100")
    assert judged.code == 0 and all(text in judged.out for text in ROWS.values())
    assert "trained on" not in judged.err
    assert "gaussians" in judged.out and "100" in judged.out


def test_other_splits_are_not_judged(command, drawing_run):
    outcome = json.loads(command(main, f"run={drawing_run}", "split=val", "json=true").out)
    assert outcome["details"] == {} and "drawn_accuracy" not in outcome["metrics"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["samples=99"], "samples=99: expected a whole number, 100 to 20,000"),
        (["samples=100", "split=val"], "samples=100 is for split=test, got split=val"),
        (["judge.from=nowhere"], "nowhere"),
    ],
)
def test_mistakes(given, said, command, drawing_run):
    done = command(main, f"run={drawing_run}", *given)
    assert done.code == 2 and said in done.err and done.err.count("\n") == 1


def test_a_judge_of_other_data_is_refused(command, drawing_run, digits_run, rain_run, tmp_path):
    done = command(main, f"run={drawing_run}", f"judge.from={rain_run}")
    assert done.code == 2 and "takes inputs of shape" in done.err
    done = command(main, f"run={drawing_run}", f"judge.from={drawing_run}")
    assert done.code == 2 and "task=classification" in done.err
    done = command(main, f"run={digits_run}", f"judge.from={digits_run}")
    assert done.code == 2 and "task=classification draws nothing" in done.err


def test_a_judge_of_other_images_is_refused(command, drawing_run, digits_run, copied):
    other = copied(digits_run)
    file = other / "dataset.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"sha256": "0" * 64}))
    done = command(main, f"run={drawing_run}", f"judge.from={other}")
    assert done.code == 2 and "was trained on other data" in done.err


@pytest.fixture
def one_by_one(monkeypatch):
    build = zoo.build.build_dataset

    def built(*given, **options):
        dataset = build(*given, **options)
        dataset.splits = {name: Slow(source) for name, source in dataset.splits.items()}
        return dataset

    monkeypatch.setattr("zoo.build.build_dataset", built)


def test_a_judge_that_was_trained_on_test_images_is_noticed(
    command, drawing_run, digits_run, copied, one_by_one
):
    other = copied(digits_run)
    file = other / "config.yaml"
    assert file.read_text().count("split_seed: 0") == 1
    file.write_text(file.read_text().replace("split_seed: 0", "split_seed: 7"))
    done = command(main, f"run={drawing_run}", f"judge.from={other}", "samples=100")
    assert done.code == 0, done.err
    said = r"trained on (\d+) of these 359 test images \(data.split_seed=7\)"
    (found,) = re.findall(said, done.err)
    assert 200 < int(found) < 300, "seven in ten are of its training split"
    assert "data.split_seed=0 has seen none" in done.err


def test_images_without_classes_are_not_judged(command, drawing_run, monkeypatch):
    monkeypatch.setattr("zoo.tasks.judging.JudgedDrawings.judge", lambda *given: {})
    for given, said in (([], ""), (["samples=100"], "warning: nothing is judged: the images")):
        done = command(main, f"run={drawing_run}", *given)
        assert done.code == 0 and said in done.err and bool(said) == ("judged" in done.err)


def test_features_are_the_same_whatever_precision_the_run_draws_in(drawing_run, digits_run):
    judge = Judge(str(digits_run), restore(drawing_run), pytest.fail)
    pixels = torch.randint(256, (20, 1, 8, 8), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        within = judge(pixels)
    assert torch.equal(within, judge(pixels)) and within.shape == (20, 32)
