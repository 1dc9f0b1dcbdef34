"""The config of an existing run: read back, its budget changed, all else refused."""

from dataclasses import replace

import pytest
import yaml

from zoo.config import compose
from zoo.config.saved import resumed_config, with_found_files
from zoo.errors import UserError


@pytest.fixture
def run_folder(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(compose.load(["model=mlp"]).to_dict()))
    return tmp_path


def test_resuming_takes_the_runs_own_config(run_folder):
    overrides = [f"resume={run_folder}", "trainer.max_steps=9", "trainer.patience=null"]
    config = resumed_config(run_folder, overrides)
    assert config == compose.load(["model=mlp", "trainer.max_steps=9"])


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optim.lr=1", "'optim.lr=1' would change it"),
        ("model=cnn", "'model=cnn' would change it"),
        ("seed=3", "'seed=3' would change it"),
        ("trainer.clip=2", "would change it"),
        ("trainer.max_steps=x", "trainer.max_steps: got 'x' (str), expected int"),
        ("trainer.max_steps", "trainer.max_steps"),
    ],
)
def test_resuming_refuses_other_changes(run_folder, override, words):
    with pytest.raises(UserError, match=".") as caught:
        resumed_config(run_folder, [f"resume={run_folder}", override])
    assert words in str(caught.value)


def test_epochs_that_steps_would_overrule_are_refused(run_folder):
    config = compose.load(["model=mlp", "trainer.max_steps=9"])
    (run_folder / "config.yaml").write_text(yaml.safe_dump(config.to_dict()))
    with pytest.raises(UserError, match="add trainer.max_steps=null"):
        resumed_config(run_folder, ["trainer.max_epochs=60"])
    longer = resumed_config(run_folder, ["trainer.max_epochs=60", "trainer.max_steps=null"])
    assert (longer.trainer.max_steps, longer.trainer.max_epochs) == (None, 60)
    assert resumed_config(run_folder, ["trainer.max_epochs=null"]).trainer.max_steps == 9


@pytest.mark.parametrize("text", ["", "[1, 2]", "a: [", "\x00", "a: ${b}"])
def test_a_config_that_cannot_be_read(run_folder, text):
    (run_folder / "config.yaml").write_text(text)
    with pytest.raises(UserError, match="config.yaml"):
        resumed_config(run_folder, [])


def test_files_are_found_from_any_folder(tmp_path, monkeypatch):
    """A run's data may be named from the folder that it was started in."""
    run = tmp_path / "project" / "outputs" / "mlp_csv" / "2026"
    for name in ("table.csv", "books/a.txt"):
        (tmp_path / "project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "project" / name).write_text("a")
    config = compose.load(["model=mlp", "data=csv", "data.path=table.csv", "data.target=table.csv"])
    monkeypatch.chdir(tmp_path / "project")
    assert with_found_files(config, run) == config
    monkeypatch.chdir(tmp_path)
    found = with_found_files(config, run).data
    there = dict.fromkeys(("path", "target"), str(tmp_path / "project/table.csv"))
    assert found == config.data | there
    pattern = replace(config, data=config.data | {"path": "books/*.txt", "target": None})
    assert with_found_files(pattern, run).data["path"] == str(tmp_path / "project/books/*.txt")
    (tmp_path / "table.csv").write_text("a")
    assert with_found_files(config, run) == config, "what is here comes first"
    elsewhere = replace(config, output_dir=str(tmp_path / "project/outputs"))
    assert with_found_files(elsewhere, run) == elsewhere
