"""The task of a run where the user names none: the one that the data and the model are for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.config import groups as configs
from zoo.config.run import RunConfig
from zoo.errors import MissingFact, UserError
from zoo.registry import MODELS, TASKS

OF_TAGS = ("tagging",)  # facts that no other data states; a model of text fits other tasks too
OF_TABLES = ("classification", "regression", "multi_label")


def with_target_kind(config: RunConfig, overrides: Sequence[str]) -> RunConfig:
    """Tell a table what its target holds, where the task says so: `task=regression`.

    Args:
        config: The checked config.
        overrides: As typed; the default task says nothing.

    Raises:
        UserError: `task=` and `data.kind=` contradict each other.
    """
    kind, task = config.data.get("kind"), config.task["name"]
    is_said = _is_typed(overrides) or task != "classification"
    if kind not in ("auto", *OF_TABLES) or task not in OF_TABLES or not is_said:
        return config
    if kind != "auto" and kind != task and _is_typed(overrides):
        raise UserError(f"task={task} and data.kind={kind} contradict each other; leave one out")
    if kind != "auto":
        return config
    return replace(config, data=config.data | {"kind": task})


def with_suited_task(
    config: RunConfig, overrides: Sequence[str], facts: Mapping[str, Any]
) -> tuple[RunConfig, list[str]]:
    """Take the model's task, or that of the target, where the config's cannot be and was not typed.

    Args:
        config: The checked config.
        overrides: As typed.
        facts: Of the data.

    Returns:
        The config, and a note where its task is another one now.
    """
    if _is_typed(overrides) or _fits(config.task, facts):
        return config, []
    from zoo.config.compose import load  # and Hydra with it, which few runs need here

    own = MODELS[config.model["name"]].tests.get("task")
    for name in (*OF_TAGS, own, *OF_TABLES):
        if name not in configs.choices("task"):
            continue
        options = load([f"task={name}"]).task
        if _fits(options, facts):
            note = f"task={name} is taken, since the data is not for task={config.task['name']}"
            return replace(config, task=options), [note]
    return config, []


def _is_typed(overrides: Sequence[str]) -> bool:
    return any(configs.key_of(override).split(".")[0] == "task" for override in overrides)


def _fits(task: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    try:
        TASKS.arguments(task, **facts)
    except MissingFact:
        return False
    return True
