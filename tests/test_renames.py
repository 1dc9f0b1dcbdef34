"""Old names of settings: they work wherever they worked, and mean the same."""

import pytest
import yaml

from zoo.config import groups
from zoo.config.compose import load
from zoo.config.groups import CONFIG_DIR, leaves, read_yaml
from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.renames import RENAMED, current_config, current_override, current_overrides
from zoo.runs.records import Record

BERT = ("model=bert", "data=pydoc", "task=masked_lm")


def listed():
    """The dotted names of all settings in configs/, by group, as their files spell them."""
    for file in CONFIG_DIR.glob("*/*.yaml"):
        content = yaml.safe_load(file.read_text()) or {}
        if file.parent.name in groups.GROUPS:
            content = {file.parent.name: content}
        yield from leaves(content)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_configs_use_the_current_name(old, new):
    names = set(listed())
    assert new in names and old not in names


@pytest.mark.parametrize(
    ("typed", "current"),
    [
        ("task.mask_share=0.3", "task.mask_rate=0.3"),
        ("++task.mask_share=0.3", "++task.mask_rate=0.3"),
        ("task.mask_share=0.1,0.3", "task.mask_rate=0.1,0.3"),
        ("task.mask_rate=0.3", "task.mask_rate=0.3"),
        ("model.mask_share=0.3", "model.mask_share=0.3"),
        ("name=task.mask_share", "name=task.mask_share"),
        ("=", "="),
    ],
)
def test_an_override_is_renamed(typed, current):
    assert current_override(typed) == current


def test_a_command_line_may_use_the_old_name():
    config = load([*BERT, "task.mask_share=0.4"])
    assert config == load([*BERT, "task.mask_rate=0.4"])
    experiment = load(["experiment=bert_pydoc", "task.mask_share=0.2"])
    assert experiment == load(["experiment=bert_pydoc", "task.mask_rate=0.2"])


def test_a_run_made_with_the_old_name_is_read_under_the_current_one(tmp_path):
    config = {"name": "old", "seed": 0, "data": {"name": "pydoc"}}
    config |= {"task": {"name": "masked_lm", "mask_share": 0.3, "whole_word": True}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "overrides.txt").write_text("task.mask_share=0.3\n")
    task = read_yaml(tmp_path / "config.yaml")["task"]
    assert task == {"name": "masked_lm", "mask_rate": 0.3, "whole_word": True}
    record = Record.read(tmp_path)
    assert record.settings["task.mask_rate"] == 0.3 and "task.mask_share" not in record.settings
    assert record.overrides == ("task.mask_rate=0.3",)
    assert TASKS.arguments(task, vocab_size=3, tokenizer=None)["mask_rate"] == 0.3


def test_an_experiment_of_the_users_may_use_the_old_name(tmp_path):
    folder = tmp_path / "configs"
    (folder / "experiment").mkdir(parents=True)
    text = "# @package _global_\ndefaults:\n" + "".join(
        f"  - override /{choice.replace('=', ': ')}\n" for choice in BERT
    )
    (folder / "experiment" / "mine.yaml").write_text(text + "task: {mask_share: 0.35}\n")
    with groups.config_dir(folder):
        assert load(["experiment=mine"]).task["mask_rate"] == 0.35


@pytest.mark.parametrize("value", [0.15, 0.2])  # the first is the default
def test_a_command_line_wins_over_the_old_name_in_a_file(tmp_path, value):
    folder = tmp_path / "configs"
    for kind, text in (
        ("experiment", "# @package _global_\ndefaults: [bert_pydoc]\ntask: {mask_share: 0.35}\n"),
        ("task", "name: masked_lm\nmask_share: 0.35\n"),
    ):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "mine.yaml").write_text(text)
    with groups.config_dir(folder):
        for chosen in (["experiment=mine"], [*BERT[:2], "task=mine"]):
            for name in ("mask_rate", "mask_share"):
                assert load([*chosen, f"task.{name}={value}"]).task["mask_rate"] == value
        for chosen in (BERT[:2], ["experiment=bert_pydoc"]):
            assert load([*chosen, "task=mine"]).task == {"name": "masked_lm", "mask_rate": 0.35}


def test_both_names_at_once_are_a_mistake():
    message = "task.mask_share is the old name of task.mask_rate, and both are given"
    with pytest.raises(UserError, match=message):
        current_overrides(["task.mask_rate=0.1", "task.mask_share=0.3"])
    with pytest.raises(UserError, match=message):
        current_config({"task": {"mask_rate": 0.1, "mask_share": 0.3}})
    defaults = {"task": {"mask_rate": 0.15}}
    with pytest.raises(UserError, match=message):
        current_config({"task": {"mask_rate": 0.1, "mask_share": 0.3}}, defaults)


def test_another_task_has_no_such_setting(mistake):
    assert "unknown key 'task.mask_rate'" in mistake("task=regression", "task.mask_share=0.3")
