"""The config of a run that there is already, by YAML alone: mistakes answer at once."""

from pathlib import Path

import yaml

from zoo.config.groups import GROUPS, TYPES, Config, key_of, read_yaml
from zoo.errors import UserError
from zoo.schema import fits, got, parameters, spell
from zoo.training.config import TrainerConfig

RESUMABLE = ("max_steps", "max_epochs", "max_minutes", "patience", "save_steps", "save_minutes")
REQUIRED = [key for key in TYPES if "." not in key]


def load_run(folder: Path, overrides: list[str]) -> Config:
    """The config of an existing run, with changes to its budget.

    Raises:
        UserError: Another setting is changed: that would be another run.
    """
    config = complete(read_yaml(folder / "config.yaml"))
    if missing := [
        key for key in (*GROUPS, *REQUIRED, "expect", "experiment") if key not in config
    ]:
        raise UserError(f"{folder / 'config.yaml'} is not a run's: it lacks {', '.join(missing)}")
    plugins, config["plugins"] = config["plugins"], []
    for override in overrides:
        group, _, key = key_of(override).partition(".")
        if group == "plugins":
            config["plugins"] = yaml.safe_load(override.partition("=")[2])
        elif group == "trainer" and key in RESUMABLE:
            if not (text := override.partition("=")[2]):
                raise UserError(f"cannot read '{override}': expected key=value")
            value = yaml.safe_load(text)
            if not fits(value, annotation := parameters(TrainerConfig)[key].annotation):
                raise UserError(f"trainer.{key}: got {got(value)}, expected {spell(annotation)}")
            config["trainer"][key] = value
        elif group != "resume":
            raise UserError(
                f"resume= goes on with the run as it was: '{override}' would change it; only "
                f"{', '.join('trainer.' + k for k in RESUMABLE)} may be given with it"
            )
    if plugins != config["plugins"]:
        raise UserError(
            f"the run used code of its own, which is imported when you say so alone: add "
            f"plugins=[{','.join(map(str, plugins or []))}]"
        )
    return config


def complete(config: Config) -> Config:
    """A run's config with the groups that there were not yet when it was trained."""
    nothing = {"adapter": {"name": "none"}}
    start = {"from": None, "adapter": None, "skip": [], "resize": []}
    return nothing | config | {"init": start | config.get("init", {})}
