"""The config of an existing run, by YAML alone, so that mistakes are reported at once."""

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.config.declared import declared_type
from zoo.config.groups import key_of, read_yaml
from zoo.config.run import RunConfig
from zoo.errors import UserError
from zoo.files import user_path
from zoo.schema import matches_type, type_mismatch

RESUMABLE = (
    "max_steps", "max_epochs", "max_minutes", "patience", "save_steps", "save_minutes",
    "accumulate", "histograms",
)  # fmt: skip
PATHS = ("path", "root", "source", "target", "labels")  # settings of data that may be paths
MERGED = "merged.json"  # of a run that scripts/merge.py made: adapters and weights
ADDED = {  # groups that older runs lack
    "adapter": {"name": "none"},
    "init": {"from": None, "adapter": None, "skip": [], "resize": []},
}


def read_config(folder: Path) -> RunConfig:
    """The config of a run; settings added since it was trained have their defaults.

    Raises:
        UserError: No config there that train.py wrote.
    """
    file = folder / "config.yaml"
    return RunConfig.from_dict(ADDED | read_yaml(file), str(file))


def resumed_config(folder: Path, overrides: Sequence[str]) -> RunConfig:
    """The config of an existing run, with changes to its budget.

    Raises:
        UserError: Another setting is changed: that would be another run.
    """
    config = read_config(folder)
    if (folder / MERGED).is_file():
        raise UserError(
            f"resume={folder}: adapters of other runs were merged into it, and it was not trained; "
            f"a new run goes on from it with adapter=lora init.adapter={folder}"
        )
    plugins: list[str] = []
    budget: dict[str, Any] = {}
    for override in overrides:
        group, _, key = key_of(override).partition(".")
        if group == "plugins":
            plugins = _value(override)
        elif group == "trainer" and key in RESUMABLE:
            budget[key] = _value(override)
        elif (group, key) == ("init", "from") and config.adapter["name"] != "none":
            config = replace(config, init=replace(config.init, from_=_value(override)))
        elif group != "resume":
            raise UserError(
                f"resume= continues the run with its own settings: '{override}' would change it; "
                f"only {', '.join('trainer.' + k for k in RESUMABLE)} may be given with it, and "
                f"init.from where the weights below an adapter have moved"
            )
    if plugins != config.plugins:
        raise UserError(
            f"the run used code of its own, which is imported only on request: add "
            f"plugins=[{','.join(config.plugins)}]"
        )
    trainer = replace(config.trainer, **budget)
    trainer.check_typed([f"trainer.{key}" for key in budget])
    return replace(config, trainer=trainer)


def with_found_files(config: RunConfig, run: Path) -> RunConfig:
    """The config with the files of its data found again from any folder.

    A relative path that leads nowhere here is looked for where the run was started: in the folder
    that its `output_dir` was in.
    """
    ends = Path(config.output_dir).parts
    parents = [p for p in run.resolve().parents if p.parts[-len(ends) :] == ends]
    if not parents or Path(config.output_dir).is_absolute():
        return config
    started = parents[0].parents[len(ends) - 1]
    found = {
        key: str(started / value)
        for key in PATHS
        if isinstance(value := config.data.get(key), str)
        if not _is_there(user_path(value)) and _is_there(started / value)
    }
    return replace(config, data=config.data | found)


def _is_there(path: Path) -> bool:
    return path.exists() or any(glob.iglob(str(path)))  # noqa: PTH207  # also absolute


def _value(override: str) -> Any:
    """The value of an override, of the type of its setting."""
    from zoo.config.text import read  # and Hydra's grammar with it

    key, text = key_of(override), override.partition("=")[2]
    if not text:
        raise UserError(f"cannot read '{override}': expected key=value")
    value = read(text, annotation := declared_type(key))
    if not matches_type(value, annotation):
        raise UserError(type_mismatch(key, value, annotation))
    return value
