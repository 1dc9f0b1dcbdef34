"""The settings of a run beside the defaults of the chosen files, and who set them."""

import re
from typing import Any, NamedTuple

from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.runs.records import Record
from zoo.runs.settings import flat, format_value, identity

ORDER = ("command line", "recipe", "the data or the model", "")


class Setting(NamedTuple):
    """A setting, its default (None: the files name none), and who set it: a word of ORDER."""

    name: str
    value: str
    default: str | None
    by: str


def settings(run: Record) -> list[Setting]:
    """All settings that affect the result, those that were changed first.

    Defaults are those of today's files: of a run of an older version they may have been others.
    """
    typed = dict(o.lstrip("+~").partition("=")[::2] for o in run.overrides)
    recipe = _read("experiment", run.experiment)
    defaults = _defaults(run, typed, recipe)
    of_recipe = flat({k: v for k, v in recipe.items() if k != "defaults"})
    found = []
    for name, value in run.settings.items():
        if name.endswith(".name") or name == "seed":
            default = defaults.get(name, "0" if name == "seed" else None)
        else:
            default = defaults.get(name)
        by = _by(name, value, default, typed, of_recipe)
        found.append(Setting(name, format_value(value), default, by))
    return sorted(found, key=lambda setting: ORDER.index(setting.by))


def _by(
    name: str, value: Any, default: str | None, typed: dict[str, str], of_recipe: dict[str, Any]
) -> str:
    if name in typed or any(name.startswith(f"{key}.") for key in typed if "." in key):
        return "command line"
    if name.endswith(".name") and name.removesuffix(".name") in typed:
        return "command line"
    if default is None or identity(value) == default or format_value(value) == default:
        return ""
    return "recipe" if name in of_recipe else "the data or the model"


def _defaults(run: Record, typed: dict[str, str], recipe: dict[str, Any]) -> dict[str, str]:
    """The values of the files that were chosen for each group, as text."""
    chosen = {}
    for entry in recipe.get("defaults") or []:
        if isinstance(entry, dict):
            for key, choice in entry.items():
                chosen[key.removeprefix("override ").lstrip("/")] = str(choice)
    values: dict[str, Any] = {}
    for group in configs.GROUPS:
        name = str(run.settings.get(f"{group}.name", "default"))
        content = _read(group, typed.get(group) or chosen.get(group) or name)
        values |= flat({group: content})
    texts = {name: format_value(_number(value)) for name, value in values.items()}
    return {name: text for name, text in texts.items() if not text.startswith("${")}


def _number(value: Any) -> Any:
    """`1e-3`, which YAML reads as text, as the number that a config makes of it."""
    is_number = isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+e[-+]?\d+", value)
    return float(value) if is_number else value


def _read(group: str, choice: str | None) -> dict[str, Any]:
    """The file of a choice with those that it builds on; empty if there is none."""
    if choice is None or not re.fullmatch(r"[\w.-]+", choice):
        return {}
    file = configs.config_file(group, choice)
    if not file.is_file():
        return {}
    try:
        content = configs.read_yaml(file)
    except UserError:
        return {}
    if group == "experiment":
        return content
    built: dict[str, Any] = {}
    for entry in content.pop("defaults", []) or []:
        if isinstance(entry, str) and entry != "_self_":
            built |= _read(group, entry)
    return built | content
