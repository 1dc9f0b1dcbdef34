"""A folder of the user's configs in addition to the package's, for every command."""

import shlex

import pytest
import yaml

from zoo.commands import find_lr, train
from zoo.commands import list as listing
from zoo.compare.command import repeat
from zoo.config import compose, groups
from zoo.errors import UserError
from zoo.runs.records import Record
from zoo.sweep.store import SweepState

EXPERIMENT = """\
# @package _global_
# Narrow, on weather.
defaults:
  - override /model: narrow
  - override /data: showers

optim: {lr: 0.5}
"""


@pytest.fixture
def folder(tmp_path):
    """A model, data and a recipe, built on what Zoo registers; a quote in its name."""
    folder = tmp_path / "bob's configs"
    for name, text in {
        "model/narrow.yaml": "# A narrow network.\nname: mlp\nwidth: 4\n",
        "data/showers.yaml": "# Less rain.\ndefaults: [_common, _self_]\nname: rain\nsamples: 60\n",
        "experiment/drizzle.yaml": EXPERIMENT,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_its_choices_are_added_to_the_packages(folder):
    before = compose.load([])
    with groups.config_dir(folder):
        config = compose.load(["experiment=drizzle", "model.width=5"])
        assert config.model == {"name": "mlp", "width": 5}
        assert config.data["samples"] == 60 and config.data["batch_size"] > 0
        assert config.optim["lr"] == 0.5 and config.name == "drizzle"
        assert {"narrow", "mlp"} <= set(groups.choices("model"))
        assert groups.experiments_with("model", "narrow") == ["drizzle"]
        assert compose.load([]) == before
    with pytest.raises(UserError, match="unknown choice for experiment: 'drizzle'"):
        compose.load(["experiment=drizzle"])


@pytest.mark.parametrize(
    "typed, said",
    [
        ("experiment=drizle", "did you mean 'drizzle'?"),
        ("model=narow", "did you mean 'narrow'?"),
        ("data.sample=3", "did you mean 'data.samples'?"),
    ],
)
def test_typos_are_answered_from_both(folder, mistake, typed, said):
    assert said in mistake("--config-dir", str(folder), "experiment=drizzle", typed)


def test_an_unknown_key_of_a_recipe_names_the_recipe(folder):
    (folder / "experiment" / "drizzle.yaml").write_text(EXPERIMENT.replace("lr:", "lrr:"))
    with groups.config_dir(folder), pytest.raises(UserError) as caught:
        compose.load(["experiment=drizzle"])
    assert "unknown key 'optim.lrr' in experiment=drizzle" in str(caught.value)


def test_a_folder_that_cannot_be_used(folder, mistake, tmp_path):
    assert "there is no folder nowhere" in mistake("--config-dir", "nowhere")
    assert "--config-dir names no folder" in mistake("model=mlp", "--config-dir=")
    assert "none of the folders model" in mistake(f"--config-dir={folder / 'model'}")
    (folder / "model" / "mlp.yaml").write_text("# Another.\nname: mlp\n")
    assert "Zoo has a model/mlp.yaml of its own; rename" in mistake("-cd", str(folder))


def test_commands_take_it(folder, capsys, tmp_path):
    assert train.main(["--cfg", "job", f"--config-dir={folder}", "experiment=drizzle"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["model"]["width"] == 4
    assert train.main(["--help", "--config-dir", str(folder)]) == 0
    assert "drizzle" in capsys.readouterr().out
    assert listing.main(["data", "experiments", "--config-dir", str(folder)]) == 0
    listed = capsys.readouterr().out
    assert "Less rain." in listed and "drizzle" in listed
    words = ["experiment=drizzle", "steps=20", f"output_dir={tmp_path}"]
    assert find_lr.main([*words, f"--config-dir={folder}"]) == 0
    assert (tmp_path / "find_lr" / "drizzle.png").is_file()


def test_a_run_can_be_repeated_and_a_sweep_resumed(train, folder, tmp_path):
    small = ("trainer.max_steps=2", "trainer.eval_steps=2")
    done = train("--config-dir", str(folder), "experiment=drizzle", "data=rain", *small)
    assert done.code == 0, done.err
    assert f"--config-dir={folder.resolve()}" in shlex.split(repeat(Record.read(done.path)))
    with groups.config_dir(folder):
        state = SweepState.create(tmp_path / "sweeps", [], "python train.py -m")
    assert SweepState.open(str(state.path)).config_dir == str(folder.resolve())
