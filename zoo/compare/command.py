"""The command line that repeats a run, or all seeds of a line, ready to paste."""

import os
import re
import shlex
from typing import Any

from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.program import spelled
from zoo.runs.rank import Group
from zoo.runs.records import Record
from zoo.runs.settings import flat, identity, spell

WITH_WEIGHTS = ("model.", "adapter.", "init.", "data.tokenizer", "data.vocab_size")
NO_TEXT = ("null", "true", "false", "nan", "inf")


def repeat(run: Record) -> str:
    """What trains a run again, to the same figures.

    What was typed, and what else the run's config.yaml says: a budget that was raised when it was
    resumed, a recipe's value that has changed since, the precision that a trial had chosen.
    """
    return _threads(run) + spelled(shlex.join(["python", "train.py", *words(run)]))


def repeat_all(group: Group, over: tuple[str, ...]) -> str:
    """What trains all runs of a line again, as a sweep; of a single one, that."""
    runs = group.runs
    if len(runs) == 1:
        return repeat(runs[0])
    values = {name: [] for name in over}
    for run in runs:
        for name in over:
            if (value := run.settings.get(name)) not in values[name]:
                values[name].append(value)
    swept = {name: found for name, found in values.items() if len(found) > 1}
    if _product(swept) != len(runs):  # no grid: not every seed with every fold
        return repeat(runs[0])
    kept = [word for word in words(runs[0]) if configs.key_of(word) not in swept]
    lists = [f"{name}={','.join(map(spell, found))}" for name, found in swept.items()]
    return spelled(shlex.join(["python", "train.py", "-m", *kept, *lists]))


def _product(values: dict[str, list[Any]]) -> int:
    total = 1
    for found in values.values():
        total *= len(found)
    return total


def words(run: Record) -> list[str]:
    """The arguments of train.py."""
    typed = [one for one in run.overrides if configs.key_of(one) != "resume"]
    flags = [one for one in typed if one.startswith(configs.CONFIG_DIR_FLAG)]
    typed = [one for one in typed if one not in flags]
    folder = flags[0].partition("=")[2] if flags else None
    try:
        with configs.config_dir(folder):
            today = compose.load(typed)
    except UserError:  # a recipe or a setting that there is no more; the words still tell
        today = None
    more: dict[str, Any] = {}
    if today is not None:
        now = flat(today.to_dict()) | {"seed": today.seed}
        started = run.settings.get("init.from") is not None
        for name, value in run.settings.items():
            if started and name.startswith(WITH_WEIGHTS):
                continue
            if name in now and identity(now[name]) != identity(value):
                more[name] = value
    chosen = run.result.get("precision")
    if run.settings.get("trainer.precision") == "auto" and chosen:
        more["trainer.precision"] = chosen
    kept = [one for one in typed if configs.key_of(one) not in more]
    return flags + kept + [f"{name}={_hydra(value)}" for name, value in more.items()]


def _hydra(value: Any) -> str:
    """A value in Hydra's grammar, where text that is no plain word has to be quoted."""
    if isinstance(value, list):
        return f"[{','.join(map(_hydra, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_hydra(one)}' for key, one in value.items())}}}"
    if not isinstance(value, str):
        return spell(value)
    if re.fullmatch(r"[A-Za-z_/.][\w/.-]*", value) and value.lower() not in NO_TEXT:
        return value
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + m[2].replace("'", "\\'"), value)
    return f"'{escaped}'"


def _threads(run: Record) -> str:
    """`OMP_NUM_THREADS=1 ` where a run on a CPU had other threads than it would have here: sums
    keep one order. A sweep deals the machine out itself."""
    environment = run.result.get("environment") or {}
    threads = environment.get("threads")
    here = getattr(os, "sched_getaffinity", None)
    cores = len(here(0)) if here else os.cpu_count()
    alone = environment.get("device") == "cpu" and environment.get("ranks", 1) == 1
    if os.name == "nt" or not alone or threads in (None, cores):
        return ""
    return f"OMP_NUM_THREADS={threads} "
