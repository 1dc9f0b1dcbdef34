"""A command line, to a checked config: by Hydra."""

import contextlib
import copy
import functools
import re
from collections.abc import Sequence

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.config import groups as configs
from zoo.config.groups import (
    DEFAULT_EXPERIMENT,
    GROUPS,
    Config,
    check,
    choices,
    key_of,
    leaves,
    unknown_key,
)
from zoo.config.run import RunConfig
from zoo.config.text import quoted
from zoo.errors import UserError, printable, unknown_name
from zoo.files import NAME_BYTES
from zoo.renames import RENAMED, current_config, current_overrides

LAUNCHERS = {"submitit_slurm": "submitit", "submitit_local": "submitit", "ray": "ray"}  # extras
OPEN = ("expect", "optim[.]rates")  # these take any key
PROMISED = {"model", "data", "task", "trainer"}  # settings that an experiment's `expect` depends on


def load(overrides: list[str]) -> RunConfig:
    """The checked config of a command line, all interpolations resolved.

    Without `experiment=` the default experiment is meant, unless another model, data or task is
    chosen, for which it is no recipe. A group that the command line chooses is taken as its file
    says: what the experiment sets inside that group was meant for another choice.

    Args:
        overrides: As typed: `experiment=mlp_mnist`, `optim.lr=1e-3`.

    Raises:
        UserError: Unknown choices and keys, wrong types, with the nearest valid name.
    """
    overrides = _for_hydra(current_overrides(overrides))
    composed = _compose(overrides, return_hydra_config=True)
    choice_of = dict(composed.hydra.runtime.choices)
    pinned = [f"{group}={choice_of[group]}" for group in GROUPS]
    pinned += [f"{key}={name}" for key, name in choice_of.items() if key.startswith("model@")]
    listed = _listed(configs.written(), tuple(pinned))
    reference, typed = current_config(listed), set(map(key_of, overrides))
    values, experiment = _plain(composed), choice_of["experiment"]
    if experiment:
        values |= _chosen_beside(values, overrides, pinned)
    if {"init.from", "teacher.from"} & typed:
        values["expect"] = {}  # promised for other weights
    values = current_config(values, listed, typed)
    check(values, reference, experiment)
    if values["name"] is None:
        values["name"] = experiment or _name(choice_of["model"], choice_of["data"])
    _check_name(values["name"])
    config = RunConfig.from_dict({"experiment": experiment, **values})
    config.trainer.check_typed(typed)
    return config


def _for_hydra(overrides: list[str]) -> list[str]:
    """Overrides as Hydra takes them; with the default experiment, where none of what makes a recipe
    is chosen."""
    for override in overrides:
        if override.startswith("~"):
            raise UserError(f"cannot delete '{override}': settings are changed, by key=value")
    overrides = [of_part(o) for o in quoted(overrides)]
    check_choices(overrides)
    has_recipe = _choices_of(overrides) & {"experiment", "model", "data", "task"}
    overrides = [opened(o) for o in overrides if o != "experiment=null"]
    renamed = tuple(f"{name}=" for name in RENAMED.values())  # files may list the old names
    overrides = [f"++{o}" if o.startswith(renamed) else o for o in overrides]
    return overrides if has_recipe else [f"experiment={DEFAULT_EXPERIMENT}", *overrides]


def _choices_of(overrides: Sequence[str]) -> set[str]:
    """The groups, or `experiment`, that a command line chooses from; not for a part of a model."""
    keys = {key_of(o) for o in overrides if "@" not in o.partition("=")[0]}
    return keys & {*GROUPS, "experiment"}


def _chosen_beside(values: Config, overrides: Sequence[str], pinned: list[str]) -> Config:
    """What the command line chooses besides an experiment, as the files of its choices say.

    Args:
        values: The config with the experiment's settings.
        overrides: As Hydra takes them.
        pinned: Overrides that choose all groups, without the experiment.
    """
    changed: Config = {}
    if groups := _choices_of(overrides) - {"experiment"}:
        others = {"experiment", *GROUPS} - groups
        own = [o for o in overrides if key_of(o).split(".")[0] not in others]
        as_filed = _plain(_compose(pinned + [o for o in own if key_of(o) not in groups]))
        changed |= {group: as_filed[group] for group in groups}
    if parts := {part for o in overrides if (part := o.partition("=")[0].partition("@")[2])}:
        own = [o for o in overrides if key_of(o).rpartition(".")[0] in parts]
        as_filed = _plain(_compose(pinned + own))
        for part in parts:
            group, _, key = part.partition(".")
            changed[group] = (values | changed)[group] | {key: as_filed[group][key]}
    if parts or groups & PROMISED:
        changed["expect"] = {}  # promised for another model, other data, a full training
    return changed


def _check_name(name: str) -> None:
    """Raise where a run's name is not one that a folder may have."""
    is_name = re.fullmatch(r"[^/\\]+", name) and name not in (".", "..") and printable(name) == name
    if not is_name or len(name.encode()) > NAME_BYTES:
        raise UserError(f"name: got {name!r}, expected the name of one folder, below output_dir")


def _name(model: str, data: str) -> str:
    """The name of a run without an experiment, which is no experiment's."""
    name = f"{model}_{data}"
    return f"{name}_plain" if name in choices("experiment") else name


def of_part(override: str) -> str:
    """`model.image=vit`, for a model that has another as a part of it, as Hydra takes it."""
    key, equals, name = override.partition("=")
    if key.removeprefix("model.") not in configs.model_parts() or name.startswith("{"):
        return override
    return f"model@{key}{equals}{name}"


def check_choices(overrides: Sequence[str]) -> None:
    """Check that the choice for each config group is a name: for a list or a number Hydra raises
    exceptions of many kinds, and settings in braces would be replaced by those of the file.

    Raises:
        UserError: It is none, or a key is none.
    """
    for override in overrides:
        group = key_of(override)
        if not group:
            raise UserError(f"cannot read '{override}': expected key=value")
        if len(group.encode(errors="replace")) > NAME_BYTES:  # Hydra looks for a file of this name
            raise UserError(f"unknown key '{group}'")
        of_hydra = group.partition("/")[0] == "hydra"
        if group not in (*GROUPS, "experiment", "sweep") and not of_hydra:
            continue
        try:
            parsed = OverridesParser.create().parse_override(override)
        except HydraException:  # `explain` says what is wrong
            continue
        except RecursionError:
            raise UserError(f"{group}: got {override}, nested too deep") from None
        if parsed.is_sweep_override():  # its values are checked in each trial
            continue
        value = parsed.value()
        text, names = override.partition("=")[2], choices(group)
        if isinstance(value, dict) and group in GROUPS:
            said = " ".join(f"{group}.{key}=..." for key in value)
            raise UserError(f"{group}: got {text}, expected one of its names; set {said}")
        name = value.text if isinstance(value, QuotedString) else value
        is_name = isinstance(name, str) if of_hydra else name in names  # no mlp.yaml, ../model/mlp
        if not is_name and (group, value) != ("experiment", None):
            if group == "hydra/launcher":
                names = ["basic", *LAUNCHERS]
            asked = override.lstrip("+").partition("=")[0].rpartition("@")[2]
            said = unknown_name(f"choice for {asked}:", text, names)
            raise UserError(said + _elsewhere(group, text))


def _elsewhere(group: str, name: str) -> str:
    """A recipe given as a model, or a model as a recipe: the choice with the right group."""
    others = ("model", "data", "task") if group == "experiment" else ("experiment",)
    found = [f"{other}={name}" for other in others if name in choices(other)]
    return f"; there is {' and '.join(found)}" if found else ""


def opened(override: str) -> str:
    """An override as Hydra takes it where any key may be set: `++optim.rates.head=2`."""
    anything = re.fullmatch(rf"({'|'.join(OPEN)})([.].*)?", key_of(override)) is not None
    return f"++{override}" if anything and override[0] not in "+~" else override


@functools.lru_cache(maxsize=256)
def _listed(files: configs.Written, pinned: tuple[str, ...]) -> Config:
    """All that the files of these choices list; to be read, not written."""
    return _plain(_compose(list(pinned)))


_MISTAKES = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)


def _compose(overrides: list[str], return_hydra_config: bool = False) -> DictConfig:
    try:
        return _composed(overrides, return_hydra_config)
    except _MISTAKES as error:
        raise UserError(explain(error, overrides)) from None


def _composed(overrides: list[str], return_hydra_config: bool = False) -> DictConfig:
    with _initialized():
        with contextlib.suppress(*_MISTAKES):
            return _from_base(overrides)
        return _hydra(overrides, return_hydra_config)  # says what is wrong


def _initialized() -> contextlib.AbstractContextManager[object]:
    """Hydra as it is inside a sweep, or else with our folder."""
    if GlobalHydra.instance().is_initialized():
        return contextlib.nullcontext()
    return initialize_config_dir(str(configs.CONFIG_DIR), version_base=None)


def _hydra(overrides: list[str], return_hydra_config: bool) -> DictConfig:
    if folder := configs.added_config_dir():
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        overrides = [f"hydra.searchpath=['file://{quoted}']", *overrides]
    return compose("train", overrides, return_hydra_config)


def _from_base(overrides: list[str]) -> DictConfig:
    """Trials, and runs of one program, mostly choose the same groups: compose them once, and set
    values in copies."""
    groups = (*GROUPS, "experiment", "sweep")
    values = [o for o in overrides if re.match(r"[a-z][\w.]*=", o) and key_of(o) not in groups]
    base = _base(configs.written(), tuple(o for o in overrides if o not in values))
    composed = copy.deepcopy(base)
    for value in OverridesParser.create().parse_overrides(values):
        OmegaConf.update(composed, value.get_key_element(), value.value(), merge=True)
    return composed


@functools.lru_cache(maxsize=256)
def _base(files: configs.Written, chosen: tuple[str, ...]) -> DictConfig:
    """To be copied, not written."""
    return _hydra(list(chosen), return_hydra_config=True)


def _plain(composed: DictConfig) -> Config:
    OmegaConf.set_struct(composed, False)
    for group in ("hydra", "sweep"):  # how runs are started, not part of a run
        composed.pop(group, None)
    try:
        return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from None


def explain(error: Exception, overrides: Sequence[str] = ()) -> str:
    """One line for a mistake that Hydra, OmegaConf or YAML reports."""
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        options = [o for o in error.options if not o.startswith("_")]
        if group == "hydra/launcher" and (extra := LAUNCHERS.get(choice)):
            return f"hydra/launcher={choice} needs a package: pip install --editable '.[{extra}]'"
        return unknown_name(f"choice for {group or 'config'}:", choice, options)
    if isinstance(error, OverrideParseException):
        return f"cannot read '{error.override}': expected key=value"
    cause = error.__cause__
    key = getattr(cause, "full_key", None) or getattr(error, "full_key", None)
    if (match := re.search(r"Could not override '([^']+)'", str(error))) and (
        key is None or "not in" in str(cause) or "No match" in str(error)
    ):
        key = max(key or "", match[1], key=len).replace("model@model.", "model.")
        return unknown_key(key, _valid_keys(overrides))
    if str(error).startswith("Ambiguous value"):
        return f"{str(error).splitlines()[0]}: write a list as [a,b]; a sweep needs -m"
    if match := re.match(r"Multiple values for (\S+?)[.] |.*already at '([^']+)'", str(error)):
        return f"{match[1] or match[2]} has a value that is replaced without '+': leave it out"
    if (match := re.match(r"Sweep parameters ('.*') requires", str(error), re.DOTALL)) is not None:
        return f"{match[1]} is for sweeps; add -m"
    if "HydraConfig was not set" in str(error):
        return f"{key}: ${{hydra:...}} has no value here; ${{seed}}, ${{model.name}} and such have"
    if isinstance(error, yaml.YAMLError):
        return f"not valid YAML: {' '.join(str(error).split())}"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{key}: {lines[0]}" if key and key not in lines[0] else lines[0]


def _valid_keys(overrides: Sequence[str]) -> list[str]:
    """The keys that may be set with the choices of a command line."""
    groups = (*GROUPS, "experiment", "hydra/launcher")
    chosen = [o for o in overrides if o.partition("=")[0].partition("@")[0] in groups]
    try:
        composed = _composed(chosen, return_hydra_config=True)
    except _MISTAKES:
        composed = _composed([], return_hydra_config=True)
    sweep = [f"sweep.{key}" for key in composed.sweep]
    sweep += [f"hydra.launcher.{key}" for key in composed.hydra.launcher]
    return [*leaves(_plain(composed)), *sweep, *GROUPS, "experiment", "sweep"]
