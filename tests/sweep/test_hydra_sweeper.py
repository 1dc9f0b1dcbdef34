"""Command lines of sweeps: mistakes in them, and the options that they set."""

import json

import pytest

TINY = (
    "experiment=mlp_rain", "trainer.max_steps=2", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32",
)  # fmt: skip


MISTAKES = {
    "a key": (("model.widht=1,2",), "did you mean 'model.width'?"),
    "an option of sweeps": (("sweep.slot=2", "seed=1,2"), "did you mean 'sweep.slots'?"),
    "its value": (("sweep.slots=many", "seed=1,2"), "sweep.slots: got 'many' (str), expected int"),
    "too many": (("sweep.slots=5000", "seed=1,2"), "sweep.slots=5000: this machine has"),
    "no slots": (("sweep.slots=0", "seed=1,2"), "sweep.slots=0: expected 1 or more"),
    "a list of experiments": (("experiment=[a,b]",), "unknown choice for experiment: '[a,b]'"),
    "a list of spaces": (("sweep=[mlp]",), "did you mean 'mlp'?"),
    "a list of launchers": (("hydra/launcher=[ray]", "seed=1,2"), "did you mean 'ray'?"),
    "a range": (("optim.lr=interval(0.1,1)",), "is a range without steps"),
    "the last trial": (("optim.lr=0.1,fast",), "optim.lr: got 'fast'"),
    "no sweep": (("sweep.resume=nowhere",), "sweep.resume=nowhere holds no sweep.json"),
    "conditions in a grid": (
        ("sweep=optimizer", "sweep.method=grid"),
        "sweep.when is for sweep.method=tpe or random",
    ),
    "zipped lists of two lengths": (
        ("model.width=4,8", "model.depth=1,2,3", "sweep.zip=[model.width,model.depth]"),
        "model.width has 2, model.depth has 3",
    ),
    "a zipped key without a list": (
        ("model.width=4,8", "sweep.zip=[model.dept]"),
        "in sweep.zip",
    ),
    "the time limit": (
        ("seed=1,2", "sweep.trial_minutes=-1"),
        "sweep.trial_minutes=-1: expected a number above 0",
    ),
    "no time": (("seed=1,2", "sweep.max_minutes=0"), "sweep.max_minutes=0: expected a number"),
    "its old name": (
        ("seed=1,2", "sweep.member_minutes=-1"),
        "sweep.trial_minutes=-1: expected a number above 0",
    ),
    "a run to resume": (("resume=outputs/a", "seed=1,2"), "a sweep is resumed by sweep.resume="),
    "no name of a sweep": (("sweep.resume=''", "seed=1,2"), "sweep.resume= names no folder"),
    "a range of nothing": (("seed=range(3,1)",), "'seed=range(3,1)': there is nothing in this"),
    "trials of a grid": (("seed=1,2", "sweep.trials=5"), "sweep.trials is for sweep.method=tpe"),
    "settings for a name": (
        ("optim={lr:0.1},{lr:0.2}",),
        "expected one of its names; set optim.lr",
    ),
    "both names": (
        ("seed=1,2", "sweep.trial_minutes=1", "sweep.member_minutes=1"),
        "sweep.member_minutes is the old name of sweep.trial_minutes: give one of the two",
    ),
}


@pytest.mark.parametrize(("options", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(mistake, options, said):
    more = () if "sweep.resume" in options[0] else ("model=mlp",)
    assert said in mistake("-m", *options, *more)


def test_mistakes_of_the_environment(mistake, train, monkeypatch, tmp_path):
    assert "'sweep.slots=2' is for sweeps; add -m" in mistake("model=mlp", "sweep.slots=2")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "sweep.json").write_text('{"version": 0}')
    assert "is of version 0, expected 1" in mistake("-m", f"sweep.resume={tmp_path / 'old'}")
    monkeypatch.setenv("RANK", "0")
    assert "-m under torchrun" in mistake("-m", "model=mlp", "seed=1,2")


def test_what_resume_may_change(sweep):
    assert sweep(*TINY, "seed=1")[0] == 0
    resume = f"sweep.resume={sweep.folder()}"
    for override in ("sweep.method=tpe", "optim.lr=1", "sweep.trials=3"):
        code, said = sweep(resume, override)
        assert code == 2 and f"'{override}' would change it" in said
    assert sweep(resume, "sweep.retries=1", "sweep.trial_minutes=5")[0] == 0
    assert sweep(resume, "sweep.member_minutes=5")[0] == 0, "its old name"


def test_a_sweep_from_elsewhere_gives_no_orders(sweep, tmp_path):
    """Its sweep.json names folders, reads variables or imports code: refused in a line."""
    assert sweep(*TINY, "seed=1")[0] == 0
    file, thesis = sweep.folder() / "sweep.json", tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "text").write_text("mine")
    before = json.loads(file.read_text())
    for change, reason in {
        ("name", str(thesis)): "is no trial's name",
        ("name", "../../thesis"): "is no trial's name",
        ("name", ".."): "is no trial's name",
        ("name", 3): "is no trial's name",
        ("overrides", ("name=${oc.env:HOME}",)): "the override 'name=${oc.env:HOME}' is refused",
        ("overrides", (1,)): "the override 1 is refused",
        ("overrides", (*TINY, "plugins=[antigravity]")): "add plugins=[antigravity]",
        ("overrides", None): "sweep.json is damaged",
    }.items():
        (entry,) = before["members"]
        content = before | {"members": [entry | dict([change])]}
        file.write_text(json.dumps(content))
        code, said = sweep(f"sweep.resume={file.parent}")
        assert code == 2 and reason in said and "Traceback" not in said, said
    file.write_text(json.dumps(before))
    (file.parent / "logs" / "theirs").symlink_to(thesis)
    code, said = sweep(f"sweep.resume={file.parent}")
    assert code == 2 and "logs/theirs is a link to" in said, said
    file.write_text("[" * 200_000)
    assert "sweep.json cannot be read" in sweep(f"sweep.resume={file.parent}")[1]
    assert (thesis / "text").read_text() == "mine"


def test_an_unfinished_sweep_of_an_earlier_version_is_resumed(sweep):
    """Its sweep.json, with the keys and values that version 1 has had from its beginning."""
    path = sweep.outputs / "mlp_rain" / "2026-11-01_10-00-00"
    (path / "logs").mkdir(parents=True)
    fixed = [*TINY, f"output_dir={sweep.outputs}"]
    trials = [
        {"name": f"seed={k}", "overrides": [*fixed, f"seed={k}"], "trial": None} for k in "12"
    ]
    content = {"version": 1, "command": "python train.py -m", "search": None, "members": trials}
    (path / "sweep.json").write_text(json.dumps(content))
    (path / "attempts.jsonl").write_text('{"member": "seed=1", "time": "", "began": 1}\n')
    code, said = sweep(f"sweep.resume={path}")
    assert code == 0 and "2 of 2 done" in said, said
    assert json.loads((path / "sweep.json").read_text()) == content
    attempts = [json.loads(line) for line in (path / "attempts.jsonl").open()]
    assert {attempt["member"] for attempt in attempts} == {"seed=1", "seed=2"}
