"""What of Hydra has no effect here: each is refused in a line that says what does it."""

import re
from collections.abc import Sequence

from zoo.config.groups import key_of
from zoo.errors import UserError

OTHER_CONFIG = "the settings are Zoo's own; add choices of yours by --config-dir=<folder>"
FLAGS = {
    "--config-name": OTHER_CONFIG,
    "-cn": OTHER_CONFIG,
    "--config-path": OTHER_CONFIG,
    "-cp": OTHER_CONFIG,
    "--info": "settings are shown by --cfg job, choices by --help",
    "-i": "settings are shown by --cfg job, choices by --help",
    "--hydra-help": "choices and settings are shown by --help",
    "--experimental-rerun": "a run is repeated by the command that scripts/compare.py prints",
}
FOLDERS = "runs go to <output_dir>/<name>/<date_time>; set output_dir=, name="
SETTINGS = {  # the beginnings of keys, the longest that fits is taken
    "hydra": "has no effect here",
    "hydra.run": FOLDERS,
    "hydra.sweep.": FOLDERS,
    "hydra.output_subdir": FOLDERS,
    "hydra.job.chdir": "a run never changes the folder; paths are relative to where it is started",
    "hydra.job.name": FOLDERS,
    "hydra.mode": "a sweep is asked for by -m",
    "hydra.searchpath": OTHER_CONFIG,
    "hydra/sweeper": "searches are sweep.method=tpe or random; hydra/sweeper=basic runs a grid",
}
SWEEPERS = ("zoo", "basic")


def refuse_unsupported(arguments: Sequence[str]) -> None:
    """Check a command line of train.py, wherever in it words of Hydra stand.

    Raises:
        UserError: One that has no effect, or half of one.
    """
    shows = any(word.partition("=")[0] in ("--cfg", "-c") for word in arguments)
    sweeps = not {"-m", "--multirun"}.isdisjoint(arguments)
    for word in arguments:
        flag = word.partition("=")[0]
        if flag in FLAGS:
            raise UserError(f"{flag} is not supported: {FLAGS[flag]}")
        if flag in ("--package", "-p") and not shows:
            raise UserError(f"{flag} is for --cfg job, and has no effect without it")
        key = key_of(word)
        if word.startswith("-") or re.split("[./]", key)[0] != "hydra":
            continue
        value = word.partition("=")[2]
        if key.startswith(("hydra.launcher", "hydra/launcher")):
            continue
        if key == "hydra/sweeper" and value in SWEEPERS:
            if not sweeps:
                raise UserError(f"'{word}' is for sweeps; add -m")
            continue
        reason = SETTINGS[max((k for k in SETTINGS if key.startswith(k)), key=len)]
        raise UserError(f"'{word}' is not supported: {reason}")
