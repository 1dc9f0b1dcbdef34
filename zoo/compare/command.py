"""The command line that repeats a run, or all runs of a group, ready to paste."""

import math
import os
import re
import shlex
from typing import Any

from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.text import quote
from zoo.errors import UserError
from zoo.program import spelled
from zoo.runs.rank import Group
from zoo.runs.records import Record
from zoo.runs.settings import flat, format_value, identity

WITH_WEIGHTS = ("model.", "adapter.", "init.", "data.tokenizer", "data.vocab_size")
NOT_TEXT = ("null", "true", "false", "nan", "inf")


def repeat(run: Record) -> str:
    """The command that trains a run again, with the same results.

    The overrides as typed, and what else the run's config.yaml says: a budget that was raised on
    resuming, a value of the experiment that has changed since, the precision that `auto` chose.
    """
    return _threads(run) + spelled(shlex.join(["python", "train.py", *overrides(run)]))


def repeat_all(group: Group, over: tuple[str, ...]) -> str:
    """The command that trains all runs of a group again, as a sweep."""
    runs = group.runs
    if len(runs) == 1:
        return repeat(runs[0])
    values: dict[str, list[Any]] = {name: [] for name in over}
    for run in runs:
        for name in over:
            if (value := run.settings.get(name)) not in values[name]:
                values[name].append(value)
    swept = {name: column for name, column in values.items() if len(column) > 1}
    if math.prod(map(len, swept.values())) != len(runs):  # no grid: not every seed with every fold
        return repeat(runs[0])
    fixed = [o for o in overrides(runs[0]) if configs.key_of(o) not in swept]
    lists = [f"{name}={','.join(map(_quote, column))}" for name, column in swept.items()]
    return spelled(shlex.join(["python", "train.py", "-m", *fixed, *lists]))


def overrides(run: Record) -> list[str]:
    """The arguments of train.py that repeat a run."""
    typed = [o for o in run.overrides if configs.key_of(o) != "resume"]
    flags = [o for o in typed if o.startswith(configs.CONFIG_DIR_FLAG)]
    typed = [o for o in typed if o not in flags]
    folder = flags[0].partition("=")[2] if flags else None
    try:
        with configs.config_dir(folder):
            today = compose.load(typed)
    except UserError:  # an experiment or setting that was removed since: the overrides still inform
        today = None
    changed: dict[str, Any] = {}
    if today is not None:
        now = flat(today.to_dict()) | {"seed": today.seed}
        has_source = run.settings.get("init.from") is not None  # which sets these settings
        for name, value in run.settings.items():
            if has_source and name.startswith(WITH_WEIGHTS):
                continue
            if name in now and identity(now[name]) != identity(value):
                changed[name] = value
    if "task.name" in changed:  # nobody typed it: the data said so, and will again
        changed = {name: v for name, v in changed.items() if not name.startswith("task.")}
    unchanged = [o for o in typed if configs.key_of(o) not in changed]
    return flags + unchanged + [f"{name}={_quote(value)}" for name, value in changed.items()]


def _quote(value: Any) -> str:
    """A value in Hydra's grammar: text that is not a plain word is quoted."""
    if isinstance(value, list):
        return f"[{','.join(map(_quote, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_quote(item)}' for key, item in value.items())}}}"
    if not isinstance(value, str):
        return format_value(value)
    if re.fullmatch(r"[A-Za-z_/.][\w/.-]*", value) and value.lower() not in NOT_TEXT:
        return value
    return quote(value)


def _threads(run: Record) -> str:
    """`OMP_NUM_THREADS=1 ` if a run on a CPU had another number of threads than it would have here:
    the number decides the order of sums. A sweep sets it itself."""
    environment = run.result.get("environment") or {}
    threads = environment.get("threads")
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    single_cpu = environment.get("device") == "cpu" and environment.get("ranks", 1) == 1
    if os.name == "nt" or not single_cpu or threads == cores or not isinstance(threads, int):
        return ""
    return f"OMP_NUM_THREADS={threads} "
