"""The command line in this process: answers, exit codes, mistakes that leave nothing behind."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from support import ROOT, refused

from zoo.commands import train as cli
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import TrainingFailed, UserError, report
from zoo.registry import MODELS

TINY = ("model=mlp", "model.width=4", "data=rain", "data.samples=100", "trainer=debug")


def test_a_run(train):
    done = train(*TINY)
    assert done.code == 0 and done.err == ""
    assert done.path.parent.name == "mlp_rain_plain"
    names = {path.name for path in done.path.iterdir()}
    assert names >= {
        "config.yaml", "overrides.txt", "dataset.json", "metrics.jsonl", "result.json",
        "train.log", "checkpoints", "report.html",
    }  # fmt: skip
    result = json.loads((done.path / "result.json").read_text())
    assert result["status"] == "done" and result["steps"] == 6
    assert {row.split("=")[0] for row in (done.path / "overrides.txt").read_text().split()} >= {
        "model", "data", "trainer",
    }  # fmt: skip
    config = yaml.safe_load((done.path / "config.yaml").read_text())
    assert config["model"]["width"] == 4 and config["trainer"]["max_steps"] == 6
    for word in ("run ", "recipe ", "model ", "data ", "device ", "precision ", "budget ", "next"):
        assert f"\n{word}" in f"\n{done.out}"
    assert (done.path / "train.log").read_text().strip() in done.out


def test_help_and_cfg_show_the_settings(train, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for group in configs.GROUPS:
        for choice in configs.choices(group):
            assert choice in text
    assert cli.main(["--cfg", "job", "model=mlp", "optim.lr=0.5"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    config = compose.load(["model=mlp", "optim.lr=0.5"])
    assert shown == config.to_dict(without_defaults=False)
    assert cli.main(["model=mlp", "--help"]) == 0
    assert "width: 128" in capsys.readouterr().out.replace("\n", " ")


# ------------------------------------------------------------------------------- mistakes

MISTAKES = {
    "a choice": (["model=mlpp"], "did you mean 'mlp'?"),
    "a key": (["optim.lrr=1"], "did you mean 'optim.lr'?"),
    "a key at the top": (["sede=1"], "did you mean 'seed'?"),
    "a key with plus": (["+model.widht=1"], "did you mean 'model.width'?"),
    "a type": (["model=mlp", "model.width=wide"], "model.width: got 'wide' (str), expected int"),
    "a literal": (["model=mlp", "model.activation=rely"], "expected one of relu, gelu"),
    "an unknown name": (["optim.name=adamm"], "unknown optim 'adamm'; did you mean 'adam'?"),
    "a fact": (
        ["model=cnn", "data=diabetes", "task=regression"],
        "model=cnn needs 'num_classes', which the chosen data does not state (data=diabetes); "
        "for tables take model=mlp",
    ),
    "a task's fact": (["model=mlp", "task=regression"], "needs 'target_mean'"),
    "a shape": (["model=cnn", "data=rain"], "use model=mlp for tables"),
    "a device": (["trainer.device=gpu"], "'gpu' (one of: auto, the first GPU"),
    "fp16": (["trainer.precision=fp16"], "a CPU gains nothing from fp16"),
    "a small batch": (
        ["data.batch_size=2", "trainer.accumulate=4"],
        "raise it to 4 or more",
    ),
    "no batch": (["data.batch_size=0"], "data.batch_size: got 0"),
    "workers": (["data.workers=-1"], "data.workers: got -1"),
    "no run": (["resume=nowhere"], "there is no such folder"),
    "an empty resume": (["resume="], "resume= names no folder"),
    "an expectation": (["expect={test/accuracy: high}"], "expected a comparison and a number"),
    "a number expected": (["expect={test/accuracy: 0.9}"], "such as '>= 0.985'"),
    "no budget": (["trainer.max_epochs=null"], "max_steps and trainer.max_epochs are both null"),
    "overruled epochs": (
        ["experiment=gpt_stdlib", "trainer.max_epochs=3"],
        "trainer.max_epochs= has no effect, as the run has trainer.max_steps=1500, which counts",
    ),
    "overruled validations": (
        ["trainer=debug", "trainer.eval_epochs=3"], "add trainer.eval_steps=null",
    ),
    "no steps": (["trainer.max_steps=0"], "trainer.max_steps: got 0"),
    "negative minutes": (["trainer.save_minutes=-1"], "trainer.save_minutes: got -1"),
    "an average": (["trainer.ema=1"], "trainer.ema: got 1"),
    "a fraction": (["schedule.warmup=1"], "schedule.warmup: got 1, expected a fraction"),
    "a rate": (["optim.lr=-1"], "optim.lr: got -1, expected 0 or more"),
    "betas": (["optim.betas=[0.9]"], "optim=adamw cannot be built with"),
    "dropout": (["model.dropout=2"], "model.dropout: got 2, expected 0 to below 1"),
    "a width": (["model=mlp", "model.width=-3"], "model.width: got -3, expected 1 or more"),
    "an augmentation": (["data.augment.shift=99"], "data.augment.shift=99: the images are 8x8"),
    "a split": (["data.val_fraction=0"], "data.val_fraction=0: expected"),
    "a missing file": (["data=csv", "data.path=no.csv", "task=regression"], "no.csv"),
    "code": (["+model._target_=os.system"], "it runs no code"),
    "a flag": (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    "a sweep without -m": (["model=mlp,cnn"], "a sweep needs -m"),
    "a choice in a sweep": (["-m", "model=mlp,cnnn"], "did you mean 'cnn'?"),
    "a key in a sweep": (["-m", "model=mlp", "model.widht=1,2"], "did you mean 'model.width'?"),
    "a seed": (["seed=-1"], "seed: got -1, expected 0 or more"),
    "a huge batch": (["data.batch_size=100000000000000000000"], "samples; expected 125,"),
    "many workers": (["data.workers=100000"], "0 or more, at most 1000"),
    "a number that is none": (["optim.lr=nan"], "optim.lr: got nan, expected 0 or more"),
    "weights of nothing": (["task.class_weights=[0,0,0,0,0,0,0,0,0,0]"], "not all zero"),
    "a split's seed": (["data.split_seed=-1"], "data.split_seed=-1: expected 0 or more"),
    "an expected nan": (["expect={test/accuracy: '>= nan'}"], "got '>= nan'"),
    "a folder outside": (["name=../../elsewhere"], "expected the name of one folder"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(mistake, what):
    overrides, words = MISTAKES[what]
    assert words in mistake(*overrides)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device")
def test_a_device_that_is_not_here(mistake):
    assert "torch finds no cuda device here (it has: cpu" in mistake("trainer.device=cuda")


def test_the_experiments_named_for_a_missing_fact_exist(mistake):
    line = mistake("model=gpt", "data=digits", "task=classification")
    named = line.rpartition("experiment=")[2].split(" or ")
    assert named and set(named) <= set(configs.choices("experiment"))


def test_a_folder_that_is_no_run(mistake, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert "is not a run directory" in mistake(f"resume={tmp_path / 'elsewhere'}")


def test_a_file_where_the_runs_should_go(mistake, tmp_path):
    (tmp_path / "file").write_text("")
    line = mistake(*TINY, f"output_dir={tmp_path / 'file'}")
    assert "cannot make a run directory" in line and "output_dir=" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(mistake, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert "cannot make a run directory" in mistake(*TINY, f"output_dir={locked}")


def test_a_folder_that_refuses(mistake, tmp_path):
    assert "cannot make a run directory" in mistake(*TINY, "output_dir=/proc/self/zoo")


def test_no_room_for_the_checkpoints(mistake, monkeypatch):
    full = shutil._ntuple_diskusage(total=10**9, used=10**9, free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    line = mistake(*TINY)
    assert "no space left" in line and "0.0 MB are free" in line and "need about" in line


def test_a_model_that_refuses_the_batch(train, monkeypatch):
    class Odd(MODELS["mlp"].builder):
        def forward(self, x):
            return super().forward(x.repeat(1, 2))

    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    MODELS.register("odd")(Odd)
    line = refused(train(*TINY, "model.name=odd"), train.outputs)
    assert "model=odd and task=classification do not take the batches of data=rain" in line
    assert "input (64, 2) torch.float32" in line


def test_an_error_in_a_model_is_named_with_its_place(train, monkeypatch):
    class Wrong(MODELS["mlp"].builder):
        def forward(self, x):
            return {"x": x}["y"]

    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    MODELS.register("wrong")(Wrong)
    line = refused(train(*TINY, "model.name=wrong"), train.outputs)
    number = Wrong.forward.__code__.co_firstlineno + 1
    assert f"KeyError: 'y' (test_train.py, line {number})" in line


def test_a_broken_program_is_no_mistake_of_the_user(train, monkeypatch):
    """A bug keeps its traceback."""

    class Buggy(MODELS["mlp"].builder):
        def __init__(
            self, width: int, depth: int, activation: str, norm: str, dropout: float
        ) -> None:
            raise KeyError("a bug")

    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    MODELS.register("buggy")(Buggy)
    with pytest.raises(KeyError, match="a bug"):
        train(*TINY, "model.name=buggy")


# ------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("error", "code", "begins"),
    [(UserError("x\ny"), 2, "error: x y"), (TrainingFailed("z"), 1, "failed: z")],
)
def test_exit_codes(capsys, error, code, begins):
    def work():
        raise error

    assert report(work) == code
    assert capsys.readouterr().err == f"{begins}\n"
    assert report(lambda: None) == 0 and report(lambda: 3) == 3


def test_a_reader_that_leaves_is_no_error():
    done = subprocess.run(
        f"{sys.executable} train.py --help | head -1",
        shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "Train a model of the zoo.\n" and done.stderr == ""


# ---------------------------------------------------------------------------------- resume


def test_resuming_a_finished_run_changes_nothing_and_says_so(train):
    first = train(*TINY)
    before = (first.path / "metrics.jsonl").read_text()
    again = train(f"resume={first.path}")
    assert again.code == 0 and again.path is None
    kept = (first.path / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in before.splitlines()]
    assert [json.loads(line) for line in kept.splitlines()] == rows


def test_a_larger_budget_continues_the_run(train):
    first = train(*TINY)
    longer = train(f"resume={first.path}", "trainer.max_steps=9")
    assert longer.code == 0, longer.err
    assert json.loads((first.path / "result.json").read_text())["steps"] == 9


def test_resuming_with_another_setting_is_refused(train):
    first = train(*TINY)
    before = {p: p.stat().st_mtime_ns for p in first.path.rglob("*")}
    again = train(f"resume={first.path}", "optim.lr=1")
    assert again.code == 2 and again.err.count("\n") == 1
    assert "'optim.lr=1' would change it" in again.err
    assert before == {p: p.stat().st_mtime_ns for p in first.path.rglob("*")}


def test_a_near_miss_of_a_run_is_suggested(train):
    first = train(*TINY)
    wrong = first.path.with_name(first.path.name[:-1])
    again = train(f"resume={wrong}")
    assert again.code == 2 and f"did you mean {first.path}?" in again.err
    parent = train(f"resume={first.path.parent}")
    assert parent.code == 0 and f"is the newest run there, {first.path}" in parent.err


def test_a_run_without_a_checkpoint_says_that_it_starts_anew(train):
    first = train(*TINY)
    shutil.rmtree(first.path / "checkpoints")
    (first.path / "checkpoints").mkdir()
    again = train(f"resume={first.path}")
    assert again.code == 0
    assert f"note: {first.path} has no checkpoint yet: it starts at step 0" in again.err


# ---------------------------------------------------------------------------------- sweeps


def test_a_sweep_runs_its_trials(train):
    done = train("-m", *TINY, "trainer.max_steps=2", "model.width=4,8", "seed=1")
    assert done.code == 0, done.err
    (sweep,) = (train.outputs / "mlp_rain_plain").iterdir()
    runs = [sweep / "width=4", sweep / "width=8"]
    configs_ = [yaml.safe_load((run / "config.yaml").read_text()) for run in runs]
    assert [c["model"]["width"] for c in configs_] == [4, 8]
    assert all(c["seed"] == 1 and c["trainer"]["max_steps"] == 2 for c in configs_)


def test_a_trial_of_a_sweep_equals_the_single_run(train):
    train("-m", *TINY, "trainer.max_steps=2", "seed=1,2")
    train(*TINY, "trainer.max_steps=2", "seed=2")
    runs = sorted((train.outputs / "mlp_rain_plain").rglob("metrics.jsonl"))
    trials = {run.parent.name: run.read_text() for run in runs}
    single = trials.pop(max(set(trials) - {"seed=1", "seed=2"}))
    assert single == trials["seed=2"] != trials["seed=1"] and len(trials) == 2


def test_a_resumed_run_keeps_its_new_budget(train):
    """So that going on a second time needs no reminder, and the config says what was done."""
    done = train("experiment=mlp_rain", "trainer.max_steps=4")
    train(f"resume={done.path}", "trainer.max_steps=6")
    settings = yaml.safe_load((done.path / "config.yaml").read_text())
    assert settings["trainer"]["max_steps"] == 6
    again = train(f"resume={done.path}")
    assert again.code == 0 and settings == yaml.safe_load((done.path / "config.yaml").read_text())
