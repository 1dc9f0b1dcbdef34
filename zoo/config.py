"""Composing and checking configs, by Hydra and YAML alone: no torch, so mistakes answer at once.

What a YAML file of a group lists is what may be set in it. Hydra holds command lines to that;
`check` holds experiment files and `+key=value` to it as well.
"""

import contextlib
import copy
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from zoo.errors import UserError, nearest, unknown
from zoo.schema import fits, got, parameters, spell
from zoo.training.config import TrainerConfig

ROOT = Path(__file__).resolve().parents[1]
CONFIG_DIR = ROOT / "configs"
GROUPS = ("model", "data", "task", "adapter", "optim", "schedule", "trainer")
DEFAULT_EXPERIMENT = "cnn_digits"
LAUNCHERS = {"submitit_slurm": "submitit", "submitit_local": "submitit", "ray": "ray"}  # extras
PROMISED = {"model", "data", "task", "trainer"}  # what `expect` of an experiment rests on
Config = dict[str, Any]
TYPES = {
    "name": str | None,
    "seed": int,
    "output_dir": str,
    "resume": str | None,
    "plugins": list[str],
    "init.from": str | None,
    "init.adapter": str | None,
    "init.skip": list[str],
    "init.resize": list[str],
}


def key_of(override: str) -> str:
    """`trainer.max_steps` of `+trainer.max_steps=3`."""
    return override.lstrip("+~").split("=", 1)[0].split("@")[0]


def load(overrides: list[str]) -> Config:
    """The checked config of a command line, as plain dicts and lists, all interpolations resolved.

    Without `experiment=` and without a group choice the default experiment is meant. A group that
    the command line chooses is taken as its file says: what the experiment sets inside that group
    was meant for another choice.

    Args:
        overrides: As typed: `experiment=mlp_mnist`, `optim.lr=1e-3`.

    Raises:
        UserError: Unknown choices and keys, wrong types, with the nearest valid name.
    """
    for override in overrides:
        if override.startswith("~"):
            raise UserError(f"cannot delete '{override}': settings are changed, by key=value")
        if override.endswith("=null") and (group := key_of(override)) in GROUPS:
            raise UserError(unknown(f"choice for {group}:", "null", choices(group)))
    chosen = {key_of(o) for o in overrides if key_of(o) in (*GROUPS, "experiment")}
    overrides = [o for o in overrides if o != "experiment=null"]
    overrides = [f"++{o}" if o.startswith("expect=") else o for o in overrides]  # takes any key
    if not chosen:
        overrides = [f"experiment={DEFAULT_EXPERIMENT}", *overrides]
    composed = _compose(overrides, return_hydra_config=True)
    choice_of = composed.hydra.runtime.choices
    chosen_of = {group: choice_of[group] for group in (*GROUPS, "experiment")}
    pinned = [f"{group}={chosen_of[group]}" for group in GROUPS]
    reference = _listed(CONFIG_DIR, tuple(pinned))
    with_values = _plain(composed)
    experiment = chosen_of["experiment"]
    if "init.from" in map(key_of, overrides):
        with_values["expect"] = {}  # promised for other weights to start from
    if experiment and (retyped := chosen & set(GROUPS)):
        others = {"experiment", *GROUPS} - retyped
        values = [o for o in overrides if key_of(o).split(".")[0] not in others]
        anew = _plain(_compose(pinned + [o for o in values if key_of(o) not in retyped]))
        with_values |= {group: anew[group] for group in retyped}
        if retyped & PROMISED:
            with_values["expect"] = {}  # promised for another model, other data, a full training
    check(with_values, reference, experiment)
    if with_values["name"] is None:
        with_values["name"] = experiment or f"{chosen_of['model']}_{chosen_of['data']}"
    if not re.fullmatch(r"[^/\\\0]+", name := with_values["name"]) or name in (".", ".."):
        raise UserError(f"name: got {name!r}, expected the name of one folder, below output_dir")
    return {"experiment": experiment, **with_values}


@functools.lru_cache(maxsize=64)
def _listed(folder: Path, pinned: tuple[str, ...]) -> Config:
    """All that the files of these choices list; to be read, not written."""
    return _plain(_compose(list(pinned)))


_MISTAKES = (HydraException, OmegaConfBaseException, yaml.YAMLError, ValueError)


def _compose(overrides: list[str], return_hydra_config: bool = False) -> DictConfig:
    try:
        return _composed(overrides, return_hydra_config)
    except _MISTAKES as error:
        raise UserError(explain(error, overrides)) from None


def _composed(overrides: list[str], return_hydra_config: bool = False) -> DictConfig:
    if GlobalHydra.instance().is_initialized():  # inside a sweep
        with contextlib.suppress(*_MISTAKES):
            return _from_base(overrides)
        return compose("train", overrides, return_hydra_config)  # says what is wrong
    with initialize_config_dir(str(CONFIG_DIR), version_base=None):
        return compose("train", overrides, return_hydra_config)


def _from_base(overrides: list[str]) -> DictConfig:
    """Members mostly choose the same: that is composed once, and values are set in copies."""
    groups = (*GROUPS, "experiment", "sweep")
    values = [o for o in overrides if re.match(r"[a-z][\w.]*=", o) and key_of(o) not in groups]
    base = _base(CONFIG_DIR, tuple(o for o in overrides if o not in values))
    composed = copy.deepcopy(base)
    for value in OverridesParser.create().parse_overrides(values):
        OmegaConf.update(composed, value.get_key_element(), value.value(), merge=True)
    return composed


@functools.lru_cache(maxsize=16)
def _base(folder: Path, chosen: tuple[str, ...]) -> DictConfig:
    """To be copied, not written."""
    return compose("train", list(chosen), return_hydra_config=True)


def _plain(composed: DictConfig) -> Config:
    OmegaConf.set_struct(composed, False)
    for apart in ("hydra", "sweep"):  # how runs are started, no part of any
        composed.pop(apart, None)
    try:
        return OmegaConf.to_container(composed, resolve=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from None


def explain(error: Exception, overrides: Sequence[str] = ()) -> str:
    """One line for what Hydra, OmegaConf or YAML found wrong."""
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        options = [o for o in error.options if not o.startswith("_")]
        if group == "hydra/launcher" and (extra := LAUNCHERS.get(choice)):
            return f"hydra/launcher={choice} needs a package: pip install --editable '.[{extra}]'"
        return unknown(f"choice for {group or 'config'}:", choice, options)
    if isinstance(error, OverrideParseException):
        what = f"cannot read '{error.override}'"
        return f"{what}: expected key=value; quote values with spaces, = or ,"
    cause = error.__cause__
    key = getattr(cause, "full_key", None) or getattr(error, "full_key", None)
    if (match := re.search(r"Could not override '([^']+)'", str(error))) and (
        key is None or "not in" in str(cause) or "No match" in str(error)
    ):
        return unknown_key(max(key or "", match[1], key=len), _valid_keys(overrides))
    if str(error).startswith("Ambiguous value"):
        return f"{str(error).splitlines()[0]}: write a list as [a,b]; a sweep needs -m"
    if isinstance(error, yaml.YAMLError):
        return f"not valid YAML: {' '.join(str(error).split())}"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{key}: {lines[0]}" if key and key not in lines[0] else lines[0]


def _valid_keys(overrides: Sequence[str]) -> list[str]:
    """What may be set with the choices of a command line."""
    groups = (*GROUPS, "experiment", "hydra/launcher")
    chosen = [o for o in overrides if o.partition("=")[0] in groups]
    try:
        composed = _composed(chosen, return_hydra_config=True)
    except _MISTAKES:
        composed = _composed([], return_hydra_config=True)
    sweep = [f"sweep.{key}" for key in composed.sweep]
    sweep += [f"hydra.launcher.{key}" for key in composed.hydra.launcher]
    return [*leaves(_plain(composed)), *sweep, *GROUPS, "experiment", "sweep"]


def unknown_key(key: str, valid: list[str], origin: str = "") -> str:
    """A key that no group lists, and the one that was probably meant."""
    guess = nearest(key, valid)
    parent = key.rpartition(".")[0]
    siblings = sorted(k.rpartition(".")[2] for k in valid if k.rpartition(".")[0] == parent)
    hint = f"; did you mean '{guess}'?" if guess else ""
    listed = f" ({parent or 'top level'}: {', '.join(siblings)})" if siblings and not guess else ""
    return f"unknown key '{key}'{origin}{hint}{listed}"


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of all values."""
    for key, value in config.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def check(config: Config, reference: Config, experiment: str | None) -> None:
    """Hold a composed config to what the chosen groups' files list.

    Raises:
        UserError: All unknown keys and wrong types, in one line.
    """
    valid = list(leaves(reference))
    typed = TYPES | {f"trainer.{n}": p.annotation for n, p in parameters(TrainerConfig).items()}
    problems = list(_problems(config, reference, valid, typed, "", experiment))
    if problems:
        raise UserError("; ".join(problems))


def _problems(
    config: Config,
    reference: Config,
    valid: list[str],
    typed: Config,
    prefix: str,
    source: str | None,
) -> Iterator[str]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if key == "_target_":
            yield f"{name} is refused: a config names things, it runs no code"
        elif key not in reference:
            origin = f" in experiment={source}" if source and _in_experiment(source, name) else ""
            yield unknown_key(name, valid, origin)
        elif isinstance(reference[key], dict):
            if not isinstance(value, dict):
                listed = ", ".join(reference[key]) or "name: value"
                yield f"{name}: got {got(value)}, expected keys: {listed}"
            elif reference[key]:  # an empty one takes any key
                yield from _problems(value, reference[key], valid, typed, f"{name}.", source)
        elif name in typed:
            if not fits(value, typed[name]):
                yield f"{name}: got {got(value)}, expected {spell(typed[name])}"
        elif None not in (value, reference[key]) and not fits(value, _kind(reference[key])):
            yield f"{name}: got {got(value)}, expected {_kind(reference[key]).__name__}"


def _kind(value: Any) -> Any:
    return list[Any] if isinstance(value, list) else type(value)


def _in_experiment(experiment: str, name: str) -> bool:
    node: Any = yaml.safe_load((CONFIG_DIR / "experiment" / f"{experiment}.yaml").read_text()) or {}
    for part in name.split("."):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def of_sweep(override: str) -> bool:
    """Whether it sets how a sweep is run, and nothing of a run."""
    return re.match(r"(sweep|hydra[./]launcher)([./]|$)", key_of(override)) is not None


def choices(group: str) -> list[str]:
    """The choices of a config group: its files, but for those that others build on."""
    return sorted(p.stem for p in (CONFIG_DIR / group).glob("[!_]*.yaml"))


def read_yaml(path: Path) -> Config:
    """A YAML file of plain values.

    Raises:
        UserError: It cannot be read.
    """
    try:
        content = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    except (OSError, yaml.YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} holds no settings")
    return content  # type: ignore[return-value]


def experiments() -> dict[str, str]:
    """Experiment names and the text of their files."""
    folder = CONFIG_DIR / "experiment"
    return {name: (folder / f"{name}.yaml").read_text("utf-8") for name in choices("experiment")}


def experiments_with(group: str, choice: str) -> list[str]:
    """Experiments that choose `choice` for a group."""
    pattern = re.compile(rf"override /{group}: *{re.escape(choice)}\b")
    return [name for name, text in experiments().items() if pattern.search(text)]


os.environ.setdefault("HYDRA_FULL_ERROR", "1")
