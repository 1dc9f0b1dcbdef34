"""The task follows from the data where none is typed."""

import pytest

from zoo.config.compose import load
from zoo.config.suited import with_suited_task, with_target_kind
from zoo.errors import UserError

NUMBERS = {"target_mean": 0.0, "target_std": 1.0, "num_outputs": 1}
CLASSES = {"num_classes": 3, "num_outputs": 3, "class_names": ["a", "b", "c"]}
CSV = ["model=mlp", "data=csv", "data.path=t.csv", "data.target=y"]


@pytest.mark.parametrize(
    ("typed", "facts", "task"),
    [
        ([], NUMBERS, "regression"),
        ([], CLASSES, "classification"),
        (["task=classification"], NUMBERS, "classification"),
        (["task.label_smoothing=0.1"], NUMBERS, "classification"),
        (["task=regression"], CLASSES, "regression"),
        (["experiment=mlp_rain"], NUMBERS, "regression"),
        ([], {}, "classification"),
    ],
)
def test_the_data_say_which(typed, facts, task):
    overrides = [*typed, *CSV]
    config, notes = with_suited_task(load(overrides), overrides, facts)
    assert config.task["name"] == task
    assert bool(notes) == (task == "regression" and not any("task=" in o for o in typed))
    if notes:
        assert config.task == load([*CSV, "task=regression"]).task


def test_the_model_says_which_of_texts():
    overrides = ["model=gpt", "data=text", "data.path=t.txt"]
    facts = {"vocab_size": 9, "block_size": 8, "token_bytes": [1] * 9, "tokenizer": None}
    config, _ = with_suited_task(load(overrides), overrides, facts)
    assert config.task["name"] == "causal_lm"


def test_data_with_tags_are_for_tagging_whatever_the_model_is_for_else():
    facts = {"vocab_size": 9, "pad_id": 0, "tokenizer": None, "cut_text": None}
    facts |= {"tag_names": ["a", "b"], "tag_counts": [1, 1]}
    for model in ("bert", "rnn", "hmm"):
        overrides = [f"model={model}", "data=tags"]
        config, _ = with_suited_task(load(overrides), overrides, facts)
        assert config.task["name"] == "tagging"


def test_its_settings_are_those_of_its_file():
    overrides = ["model=word2vec", "data=text", "data.path=t.txt", "data.tokenizer=word"]
    facts = {"vocab_size": 9, "token_counts": [1] * 9, "tokenizer": None, "vocab": []}
    config, _ = with_suited_task(load(overrides), overrides, facts)
    assert config.task == load(["task=skip_gram"]).task and config.task["sample"] == 1e-3


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ([], "auto"),
        (["task=regression"], "regression"),
        (["task=classification"], "classification"),
        (["data.kind=regression"], "regression"),
        (["data.kind=regression", "task=regression"], "regression"),
    ],
)
def test_a_typed_task_says_what_the_target_holds(typed, kind):
    overrides = [*CSV, *typed]
    assert with_target_kind(load(overrides), overrides).data["kind"] == kind


def test_a_contradiction_is_refused():
    overrides = [*CSV, "task=regression", "data.kind=classification"]
    with pytest.raises(UserError, match="task=regression and data.kind=classification contradict"):
        with_target_kind(load(overrides), overrides)
