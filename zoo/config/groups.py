"""Config groups: their choices and settings, and checks of both.

The YAML file of a group lists every setting that it has. Hydra enforces this for command lines
(zoo/config/compose.py), `check` for experiment files and `+key=value`. Imports neither torch, so
that mistakes are reported at once, nor Hydra, which reading a saved config does not need.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from zoo.config.run import GROUPS as GROUPS
from zoo.config.run import types_of_settings
from zoo.errors import UserError, closest_match
from zoo.files import user_path
from zoo.plain_yaml import load_plain
from zoo.renames import current_config
from zoo.schema import describe_value, matches_type, type_mismatch

ROOT = Path(__file__).resolve().parents[2]


def shipped(name: str) -> Path:
    """A file or folder at its place in the repository; the wheel holds it inside the package."""
    packaged = ROOT / "zoo" / name
    return packaged if packaged.exists() else ROOT / name


CONFIG_DIR = shipped("configs")
DEFAULT_EXPERIMENT = "cnn_digits"
Config = dict[str, Any]
Written = tuple[tuple[str, int], ...]
CONFIG_DIR_FLAG = "--config-dir"
_added: Path | None = None  # see `config_dir`


@contextlib.contextmanager
def config_dir(folder: str | Path | None) -> Iterator[None]:
    """Look for choices in a folder of the user's as well (`--config-dir`); None adds nothing.

    Raises:
        UserError: There is no such folder, it holds no group, or a file of ours has the same name.
    """
    global _added
    before, _added = _added, None if folder is None else _checked(user_path(folder))
    try:
        yield
    finally:
        _added = before


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"--config-dir: there is no folder {folder}")
    groups = (*GROUPS, "experiment", "sweep")
    if not any((folder / group).is_dir() for group in groups):
        raise UserError(
            f"--config-dir: {folder} has none of the folders {', '.join(groups)}; a model's file "
            f"is {folder / 'model' / '<name>.yaml'}"
        )
    for file in sorted(folder.rglob("*.yaml")):
        if (CONFIG_DIR / file.relative_to(folder)).exists():
            raise UserError(
                f"--config-dir: Zoo has a {file.relative_to(folder)} of its own; rename {file}"
            )
    return folder.resolve()


def added_config_dir() -> Path | None:
    """The user's folder, where one was named."""
    return _added


def config_dir_flag() -> list[str]:
    """The arguments that name the user's folder on a command line."""
    return [f"{CONFIG_DIR_FLAG}={_added}"] if _added else []


def config_dirs() -> list[Path]:
    """Where choices are looked for: our folder, then the user's."""
    return [CONFIG_DIR, *([_added] if _added else [])]


def written() -> Written:
    """When each file that configs are made of was last written: what is remembered of them holds
    while this stays the same."""
    groups = ("", *GROUPS, "experiment", "sweep", "hydra/launcher")
    files = [p for d in config_dirs() for g in groups for p in (d / g).glob("*.yaml")]
    return tuple((str(file), file.stat().st_mtime_ns) for file in files)


def config_file(group: str, choice: str) -> Path:
    """The file of a choice that there is."""
    files = [folder / group / f"{choice}.yaml" for folder in config_dirs()]
    return next((file for file in files if file.exists()), files[0])


def key_of(override: str) -> str:
    """`trainer.max_steps` of `+trainer.max_steps=3`."""
    return override.lstrip("+~").split("=", 1)[0].split("@")[0]


ELSEWHERE = {  # what other trainers call a setting, where ours is not spelled similarly
    "learning_rate": "optim.lr",
    "epochs": "trainer.max_epochs",
    "steps": "trainer.max_steps",
    "gpus": "trainer.devices",
    "bs": "data.batch_size",
}


def unknown_key(key: str, valid: list[str], origin: str = "") -> str:
    """A key that no group lists, and the one that was probably meant."""
    parent, _, leaf = key.rpartition(".")
    meant = ELSEWHERE.get(leaf)
    guess = meant if meant in valid else closest_match(key, valid)
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
    """Check a composed config against the settings that the chosen groups' files list.

    Raises:
        UserError: All unknown keys and wrong types, in one line.
    """
    valid = list(leaves(reference))
    problems = list(_problems(config, reference, valid, types_of_settings(), "", experiment))
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
            if value is None and prefix == "model.":  # the model says whether it can be none
                continue
            if not isinstance(value, dict):
                listed = ", ".join(reference[key]) or "name: value"
                yield f"{name}: got {describe_value(value)}, expected keys: {listed}"
            elif reference[key]:  # an empty one takes any key
                yield from _problems(value, reference[key], valid, typed, f"{name}.", source)
        elif name in typed:
            if not matches_type(value, typed[name]):
                yield type_mismatch(name, value, typed[name])
        elif None not in (value, reference[key]) and not _is_like(value, reference[key]):
            yield f"{name}: got {describe_value(value)}, expected {_kind(reference[key]).__name__}"


def _is_like(value: Any, listed: Any) -> bool:
    """Whether a value has the type of the one in the group's file.

    A list where a number is listed may be right (`data.size=[16,24]`): the builder's signature
    decides.
    """
    kind = _kind(listed)
    if isinstance(value, list) and kind in (int, float):
        return bool(value) and all(matches_type(item, kind) for item in value)
    return matches_type(value, kind)


def _kind(value: Any) -> Any:
    return list[Any] if isinstance(value, list) else type(value)


def _in_experiment(experiment: str, name: str) -> bool:
    node: Any = yaml.safe_load(config_file("experiment", experiment).read_text("utf-8")) or {}
    for key in name.split("."):
        if not isinstance(node, dict) or key not in node:
            return False
        node = node[key]
    return True


def is_sweep_override(override: str) -> bool:
    """Whether it sets how a sweep is run, and nothing of a run."""
    return re.match(r"(sweep|hydra[./]launcher)([./]|$)", key_of(override)) is not None


def choices(group: str) -> list[str]:
    """The choices of a config group: its files, but for those that others build on."""
    return sorted(p.stem for d in config_dirs() for p in (d / group).glob("[!_]*.yaml"))


def model_parts() -> set[str]:
    """The options of models that are models themselves, chosen as `model.image=vit`."""
    return _parts(written())


@functools.lru_cache(maxsize=1)
def _parts(files: Written) -> set[str]:
    texts = (
        file.read_text("utf-8") for d in config_dirs() for file in (d / "model").glob("*.yaml")
    )
    return {part for text in texts for part in re.findall(r"/model@(\w+):", text)}


def read_yaml(path: Path) -> Config:
    """A YAML file of plain values, those of renamed settings under their current names.

    Raises:
        UserError: It cannot be read.
    """
    try:
        content = load_plain(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} holds no settings")
    return current_config(content)


def experiments() -> dict[str, str]:
    """Experiment names and the text of their files."""
    files = {name: config_file("experiment", name) for name in choices("experiment")}
    return {name: file.read_text("utf-8") for name, file in files.items()}


def experiments_with(group: str, choice: str) -> list[str]:
    """Experiments that choose `choice` for a group."""
    pattern = re.compile(rf"override /{group}: *{re.escape(choice)}\b")
    return [name for name, text in experiments().items() if pattern.search(text)]


os.environ.setdefault("HYDRA_FULL_ERROR", "1")
