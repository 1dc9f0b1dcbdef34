"""Settings of runs: which affect the result, which differ, how a table names and formats them."""

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UserError
from zoo.plain_yaml import load_plain
from zoo.renames import current_config

WITHOUT_EFFECT = frozenset(
    (
        "seed", "name", "experiment", "output_dir", "resume", "plugins", "data.root",
        "data.workers", "trainer.device", "trainer.log_steps", "trainer.save_steps",
        "trainer.save_minutes", "trainer.histograms", "trainer.graph",
    )
)  # fmt: skip
OF_SEED = ("data.split_seed",)  # they follow the seed unless they are set
ABSENT = "-"  # stands for a setting that a run's model or data does not have
Settings = Mapping[str, Any]


def flat(config: Settings, prefix: str = "") -> dict[str, Any]:
    """The settings of a config by dotted name, without those that do not affect the result.

    The seed is left out too: it only changes the random numbers.
    """
    values: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if name in WITHOUT_EFFECT or name.startswith("expect"):
            continue
        if isinstance(value, dict):
            values |= flat(value, f"{name}.")
        else:
            values[name] = value
    return values


def identity(value: Any) -> Any:
    """A key that is equal for equal values: 0 and 0.0, but not 1 and true."""
    if isinstance(value, list | tuple):
        return tuple(map(identity, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value  # 1 and 1.0 are equal, and have one hash
    return format_value(value)


def differing(runs: Sequence[Settings], typed: Collection[str] = ()) -> list[str]:
    """Names of the settings in which runs differ, without those that follow from another one.

    `optim.betas` comes with `optim=adamw`: if all runs with one optimizer agree in it, it follows
    from the optimizer's name. Every setting may follow from the experiment's name.

    Args:
        runs: Settings by dotted name.
        typed: Names set on the command line, which are never left out.
    """
    names = dict.fromkeys(name for run in runs for name in run)
    columns = {name: [identity(run.get(name, ABSENT)) for run in runs] for name in names}
    columns = {name: column for name, column in columns.items() if len(set(column)) > 1}
    choices = [name for name in columns if name.endswith(".name")]
    if all(run.get("experiment") for run in runs):  # otherwise some have no experiment
        choices += ["experiment"] * ("experiment" in columns)

    def follows(name: str) -> bool:
        for choice in choices:
            group = "" if choice == "experiment" else choice.removesuffix("name")
            if name != choice and name.startswith(group):
                pairs = set(zip(columns[choice], columns[name], strict=True))
                if len(pairs) == len(set(columns[choice])):
                    return True
        return False

    return [name for name in columns if name in typed or not follows(name)]


def short_names(names: Sequence[str], taken: Collection[str] = ()) -> dict[str, str]:
    """`lr` for `optim.lr`, `optim` for `optim.name`; the whole name if two would be equal.

    Args:
        names: Dotted names.
        taken: Short names with another meaning.
    """
    short = {name: name.removesuffix(".name").rpartition(".")[2] for name in names}
    ends = [*short.values(), *taken]
    return {name: end if ends.count(end) == 1 else name for name, end in short.items()}


def format_value(value: Any) -> str:
    """A value as on a command line, numbers with all digits."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(format_value, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{format_value(item)}' for key, item in value.items())}}}"
    return str(value)


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A run's config.yaml, and its settings by dotted name.

    Raises:
        UserError: It cannot be read.
    """
    config: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    try:
        for text in re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            section, values = _parse_section(text)
            config |= section
            settings |= values
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(config.get("data"), dict):
        raise UserError(f"{path} is not a run's: it lacks the settings of its data")
    return config, settings


@functools.lru_cache(maxsize=4096)
def _parse_section(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A top-level section of a config, and its settings by dotted name; do not modify them.

    It is cached: the runs of a sweep share most sections, and a thousand are read five times as
    fast."""
    content = load_plain(text) or {}
    if not isinstance(content, dict):
        raise ValueError("it is no list of settings")
    content = current_config(content)
    return content, flat(content)
