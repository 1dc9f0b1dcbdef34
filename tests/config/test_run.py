"""The typed config: what is taken, what is refused, and that nothing is lost on the way."""

import pickle
from dataclasses import replace

import pytest
import yaml
from support import recipe

from zoo.config.compose import load
from zoo.config.groups import experiments
from zoo.config.run import RunConfig, TeacherConfig
from zoo.errors import UserError


@pytest.fixture
def values():
    return load(["model=mlp", "data=rain"]).to_dict()


@pytest.mark.parametrize("name", list(experiments()))
def test_what_is_written_is_read_back(name):
    config = recipe(name)
    text = yaml.safe_dump(config.to_dict(), sort_keys=False)
    assert RunConfig.from_dict(yaml.safe_load(text)) == config
    assert pickle.loads(pickle.dumps(config)) == config  # for the processes of several devices


def test_a_teacher_is_written_where_there_is_one(values):
    config = RunConfig.from_dict(values)
    assert "teacher" not in values and config.teacher == TeacherConfig()
    assert config.to_dict(without_defaults=False)["teacher"] == {"from": None, "checkpoint": "best"}
    taught = replace(config, teacher=TeacherConfig("runs/a", "last"))
    assert taught.to_dict()["teacher"] == {"from": "runs/a", "checkpoint": "last"}
    assert RunConfig.from_dict(taught.to_dict()) == taught


def test_a_trainer_of_an_older_run_takes_the_defaults_of_today(values):
    del values["trainer"]["save_minutes"]
    assert RunConfig.from_dict(values).trainer.save_minutes == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("model"), "config.yaml is not a run's: it lacks model"),
        (lambda v: v.update(modle={}), "unknown setting 'modle'; did you mean 'model'?"),
        (lambda v: v.update(seed="x"), "seed: got 'x' (str), expected int"),
        (lambda v: v.update(optim=3), "optim: got 3 (int), expected name: value"),
        (lambda v: v["optim"].pop("name"), "optim.name: expected a text in config.yaml"),
        (lambda v: v["init"].update(form="a"), "'init.form'; did you mean 'init.from'?"),
        (lambda v: v["init"].update(skip="a"), "init.skip: got 'a' (str), expected a list of str"),
        (lambda v: v["trainer"].update(zzz=1), "unknown setting 'trainer.zzz'"),
        (lambda v: v["trainer"].update(clip=-1), "trainer.clip: got -1, expected a number above 0"),
        (lambda v: v.update(teacher={"from": 3}), "teacher.from: got 3 (int), expected str or"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(values, change, words):
    change(values)
    with pytest.raises(UserError) as caught:
        RunConfig.from_dict(values, "config.yaml")
    assert words in str(caught.value)
