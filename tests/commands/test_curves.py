"""Learning curves: which runs are one line, what is said of wrong names."""

import json

import pytest

from zoo.commands.curves import main, read_curves, read_points
from zoo.errors import UserError


@pytest.fixture
def runs(tmp_path):
    for depth, seed, last in ((20, 0, 0.5), (20, 1, 0.7), (56, 0, 1.0)):
        folder = tmp_path / f"depth{depth}" / f"seed{seed}"
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "config.yaml").write_text(f"model: {{name: resnet, depth: {depth}}}")
        rows = [
            {"step": 10, "split": "train", "loss": 2.0},
            {"step": 10, "split": "val", "loss": 9},
        ]
        rows.append({"step": 20, "split": "train", "loss": last})
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / "result.json").write_text('{"status": "done"}')
    return tmp_path


def test_runs_that_agree_are_one_line(runs, capsys):
    groups = read_curves(runs, "train/loss", ["model.depth"])
    assert groups == {
        "depth=20": [{10: 2.0, 20: 0.5}, {10: 2.0, 20: 0.7}], "depth=56": [{10: 2.0, 20: 1.0}],
    }  # fmt: skip
    names = list(read_curves(runs, "train/loss", []))
    assert names == ["depth20/seed0", "depth20/seed1", "depth56/seed0"], "a line for each run"
    assert list(read_curves(runs / "depth56" / "seed0", "train/loss", [])) == ["seed0"]
    assert read_curves(runs, "train/loss", ["model.depth"], 2)["depth=56"] == [{10: 2.0, 20: 1.5}]
    assert main([f"runs={runs}", "by=[model.depth]", f"out={runs / 'a' / 'b.png'}"]) == 0
    assert (runs / "a" / "b.png").read_bytes()[:4] == b"\x89PNG"
    said = capsys.readouterr().out
    assert "0.6000 ± 0.1414" in said and "1.0000" in said


def test_last_values_over_a_setting(runs, capsys):
    lines = read_points(runs, "train/loss", "model.depth", ["model.name"])
    assert lines == {"name=resnet": {20: [0.5, 0.7], 56: [1.0]}}
    out = runs / "over.png"
    assert main([f"runs={runs}", "x=model.depth", f"out={out}"]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["all", "runs", "2", "20", "0.6000", "±", "0.1414"]
    assert said[2].split() == ["all", "runs", "1", "56", "1.0000"]
    (runs / "depth56" / "seed0" / "config.yaml").write_text("model: {name: resnet, depth: null}")
    assert read_points(runs, "train/loss", "model.depth", []) == {"all runs": {20: [0.5, 0.7]}}
    assert "note: left out, as model.depth is null: 1 run" in capsys.readouterr().err
    assert main([f"runs={runs}", "x=model.name"]) == 2
    assert "has resnet, expected a number in every run" in capsys.readouterr().err


def test_a_run_that_diverged_has_no_deviation(runs, capsys):
    with (runs / "depth20" / "seed1" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "split": "train", "loss": null}\n')
    out = runs / "nan.png"
    for options in (["by=[model.depth]"], ["x=model.depth"]):
        assert main([f"runs={runs}", f"out={out}", *options]) == 0
        assert "nan" in capsys.readouterr().out.splitlines()[1]


def test_runs_of_one_line_that_end_at_other_steps_are_named(runs, capsys):
    """As where one has failed: the line ends with it."""
    options = [f"runs={runs}", "by=[model.depth]", f"out={runs / 'out.png'}"]
    assert main(options) == 0 and capsys.readouterr().err == ""
    with (runs / "depth20" / "seed1" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3000, "split": "train", "loss": 0.1}\n')
    assert main(options) == 0
    said = capsys.readouterr().err
    assert said.startswith(
        "note: depth=20: its runs end at steps 20 to 3,000; it is drawn at the 2"
    )
    assert said.count("note") == 1


@pytest.mark.parametrize("result", ['{"status": "failed", "reason": "diverged"}', None])
def test_a_run_that_failed_or_is_running_has_no_last_value(result, runs, capsys):
    failed = runs / "depth20" / "seed0" / "result.json"
    failed.unlink() if result is None else failed.write_text(result)
    lines = read_points(runs, "train/loss", "model.depth", [])
    assert lines == {"all runs": {20: [0.7], 56: [1.0]}}
    assert "left out, as they failed or have not finished: 1 run" in capsys.readouterr().err
    with pytest.raises(UserError, match="none of the 1 runs with train/loss has finished"):
        read_points(failed.parent, "train/loss", "model.depth", [])


def test_wrong_names(runs, tmp_path, capsys):
    with pytest.raises(UserError, match="did you mean 'train/loss'"):
        read_curves(runs, "train/los", [])
    with pytest.raises(UserError, match="by: unknown key 'model.dept'; did you mean 'model.depth'"):
        read_curves(runs, "train/loss", ["model.dept"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there are no runs"):
        read_curves(tmp_path / "empty", "train/loss", [])
    assert main([f"runs={runs}", "smooth=0"]) == 2
    assert "smooth=0: expected" in capsys.readouterr().err
