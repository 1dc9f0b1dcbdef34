"""From the command line to a checked config and a run; mistakes are reported in one line.

Exit codes: 0 done, 1 training failed, 2 a mistake to correct, 128 + n stopped by signal n.
"""

import sys
from typing import TYPE_CHECKING

from zoo.errors import UserError, report
from zoo.terminal import remark, terminal_width

if TYPE_CHECKING:
    from zoo.config.run import RunConfig
    from zoo.runs.directory import RunDirectory
    from zoo.sweep.fork_server import ForkServer

HELP_WIDTH = 100
HELP = """\
Train a model of the zoo.

usage: python train.py [experiment=...] [group=choice] [group.key=value] ...

Without arguments it trains experiment=cnn_digits: no download, any CPU, within
a minute.

Groups and their choices:
{groups}

The settings of this command (anything may be set, such as optim.lr=1e-3):
{config}

Settings of a recipe:    python train.py experiment=mlp_mnist --cfg job
Sweep:                   python train.py -m optim.lr=1e-3,3e-3 seed=1,2,3
Search:                  python train.py -m experiment=mlp_digits sweep=mlp
Resume after a stop:     python train.py resume=outputs/mlp_mnist/<date_time>
List all, with results:  python scripts/list.py"""


def main(argv: list[str] | None = None) -> int:
    """`python train.py ...` and `zoo train ...`; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    server = None
    if not {"-m", "--multirun"}.isdisjoint(arguments):
        from zoo.sweep.fork_server import start_for_sweep

        server = start_for_sweep(arguments)  # first: it imports torch on another core
    try:
        return report(lambda: _main(arguments, server))
    finally:
        if server:
            server.close()


def _main(arguments: list[str], server: "ForkServer | None") -> int:
    from zoo.commands.arguments import with_config_dir

    return with_config_dir(lambda rest: _train(rest, server), arguments)


def _train(arguments: list[str], server: "ForkServer | None") -> int:
    from zoo.commands.unsupported import refuse_unsupported

    refuse_unsupported(arguments)
    flags = [a for a in arguments if a.startswith("-") and a != "--resolve"]
    overrides = [a for a in arguments if not a.startswith("-")]
    if flags in (["--cfg=job"], ["-c=job"], ["--cfg"], ["-c"]):
        words = [o for o in overrides if o != "job"]
        if "=" not in flags[0] and len(words) == len(overrides):
            raise UserError(f"{flags[0]} takes one word: {flags[0]} job shows all settings")
        return _show(words)
    if flags in (["--help"], ["-h"]):
        print(_help(overrides))
        return 0
    if flags == ["--version"]:  # Hydra would print its own
        from zoo import __version__

        print(f"zoo {__version__}")
        return 0
    if flags:
        from zoo.commands.hydra_flags import run_hydra
        from zoo.renames import current_overrides

        return run_hydra(run, current_overrides(arguments), server)
    return run(overrides)


def run(overrides: list[str]) -> int:
    """One training run, or the rest of one, from overrides; returns the exit code.

    Raises:
        UserError: A mistake in them.
    """
    from zoo.config import groups as configs
    from zoo.importing import gc_paused

    config, directory = configured(overrides)
    with gc_paused():
        from zoo.session import train

    return train(config, [*configs.config_dir_flag(), *overrides], directory).code


def configured(overrides: list[str]) -> "tuple[RunConfig, RunDirectory | None]":
    """The checked config of a run, and the run itself where it is to be resumed.

    Raises:
        UserError: A mistake in the overrides.
    """
    from zoo.config import compose
    from zoo.config import groups as configs

    if alone := [o for o in overrides if configs.is_sweep_override(o)]:
        raise UserError(f"'{alone[0]}' is for sweeps; add -m")
    resume = [o.partition("=")[2] for o in overrides if configs.key_of(o) == "resume"]
    if resume and not resume[-1].strip("'\""):
        raise UserError("resume= names no folder; give a run directory, or leave it out")
    if resume and resume[-1] != "null":
        from zoo.config.saved import resumed_config, with_found_files
        from zoo.runs.find import find_run
        from zoo.runs.links import refuse_links

        directory = find_run(resume[-1].strip("'\""), "resume", trained=False)
        refuse_links(directory.path, "resume")
        config = with_found_files(resumed_config(directory.path, overrides), directory.path)
        if not any(directory.checkpoints.glob("last-*")):
            remark(f"note: {directory.path} has no checkpoint yet: it starts at step 0")
        return config, directory
    return compose.load(overrides), None


def _show(overrides: list[str]) -> int:
    from zoo.config import compose
    from zoo.config import groups as configs

    if any(configs.key_of(o) == "resume" for o in overrides):
        raise UserError("--cfg shows a new run's settings; a run's own are in its config.yaml")
    print(_yaml(compose.load(overrides), compact=False))
    return 0


def _help(overrides: list[str]) -> str:
    from zoo.config import compose
    from zoo.config import groups as configs
    from zoo.program import spelled

    groups = {group: configs.choices(group) for group in ("experiment", *configs.GROUPS, "sweep")}
    listed = "\n".join(_wrapped(f"{group}: {', '.join(names)}") for group, names in groups.items())
    return spelled(HELP).format(groups=listed, config=_yaml(compose.load(overrides)))


def _wrapped(text: str) -> str:
    import textwrap

    width = min(HELP_WIDTH, terminal_width())
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="    ")


def _yaml(config: "RunConfig", compact: bool | None = None) -> str:
    import yaml

    values = config.to_dict(without_defaults=False)
    width = min(80, terminal_width() - 24)  # a line ends with the word that passes it
    text = yaml.safe_dump(
        values, sort_keys=False, default_flow_style=compact, allow_unicode=True, width=width
    )
    return text.rstrip()
