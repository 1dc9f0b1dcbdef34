"""The command line: what was typed, to a checked config, to a run; mistakes in one line.

Exit codes: 0 done, 1 training failed, 2 a mistake to mend, 128 + n stopped by signal n.
"""

import contextlib
import io
import sys
from typing import TYPE_CHECKING

from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError, report
from zoo.importing import importing

if TYPE_CHECKING:
    from zoo.sweep.fork_server import Nursery

HELP = """\
Train a model of the zoo.

usage: python train.py [experiment=...] [group=choice] [group.key=value] ...

Without arguments it trains experiment=cnn_digits: no download, any CPU, within a minute.

Groups and their choices:
{groups}

The settings of this command (anything may be set: optim.lr=1e-3, trainer.max_epochs=5):
{config}

See all settings of a recipe:  python train.py experiment=mlp_mnist --cfg job
Sweep:                         python train.py -m optim.lr=1e-3,3e-3 seed=1,2,3
Search:                        python train.py -m experiment=mlp_digits sweep=mlp
Go on after a stop:            python train.py resume=outputs/mlp_mnist/<date_time>
What there is, with results:   python scripts/list.py"""


def train(argv: list[str] | None = None, nursery: "Nursery | None" = None) -> int:
    """`python train.py ...`.

    Args:
        argv: Arguments, or None for the process's own.
        nursery: What members of a sweep are forked from, if it was begun already.
    """
    arguments = sys.argv[1:] if argv is None else argv
    return report(lambda: _train(arguments, nursery))


def _train(arguments: list[str], nursery: "Nursery | None") -> int:
    flags = [a for a in arguments if a.startswith("-")]
    overrides = [a for a in arguments if not a.startswith("-")]
    if flags in (["--cfg=job"], ["--cfg"], ["-c"]):
        overrides = [o for o in overrides if o != "job"]
        return _show(overrides)
    if flags in (["--help"], ["-h"]):
        print(_help(overrides))
        return 0
    return _by_hydra(arguments, nursery) if flags else _run(overrides)


def _run(overrides: list[str]) -> int:
    if alone := [o for o in overrides if configs.of_sweep(o)]:
        raise UserError(f"'{alone[0]}' is for sweeps; add -m")
    resume = [o.partition("=")[2] for o in overrides if configs.key_of(o) == "resume"]
    if resume and not resume[-1].strip("'\""):
        raise UserError("resume= names no folder; give a run directory, or leave it out")
    if resume and resume[-1] != "null":
        from zoo.config.run import load_run
        from zoo.runs.directory import RunDirectory

        run = RunDirectory.open(resume[-1].strip("'\""), "resume")
        settings = load_run(run.path, overrides)
    else:
        run, settings = None, compose.load(overrides)
    with importing():
        from zoo.session import train

    return train(settings, overrides, run)


def _show(overrides: list[str]) -> int:
    print(_yaml(compose.load(overrides), compact=False))
    return 0


def _help(overrides: list[str]) -> str:
    groups = {group: configs.choices(group) for group in ("experiment", *configs.GROUPS, "sweep")}
    listed = "\n".join(f"  {group}: {', '.join(names)}" for group, names in groups.items())
    return HELP.format(groups=listed, config=_yaml(compose.load(overrides)))


def _yaml(settings: configs.Config, compact: bool | None = None) -> str:
    import yaml

    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=compact).rstrip()


def _by_hydra(arguments: list[str], nursery: "Nursery | None") -> int:
    """Sweeps, and Hydra's own flags."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import DictConfig

    from zoo.sweep import fork_server as nurseries

    codes: list[int] = []
    overrides = [a for a in arguments if not a.startswith("-")]
    started = False

    def job(_: DictConfig) -> None:
        nonlocal started
        started = True
        codes.append(_run(list(HydraConfig.get().overrides.task)))

    job.codes = codes  # type: ignore[attr-defined]  # the sweeper adds its own
    _mend_argparse()
    multirun = ("-m", "--multirun")  # wherever typed
    arguments = sorted(map(compose.opened, arguments), key=lambda a: a not in multirun)
    _check_flags(arguments)
    before, sys.argv = sys.argv, ["train.py", *arguments]
    job.nursery = nursery = nursery or nurseries.begin(arguments)  # type: ignore[attr-defined]
    main = hydra.main(config_path=str(configs.CONFIG_DIR), config_name="train", version_base=None)
    try:
        main(job)()
    except UserError:
        raise
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:
        ours = type(error).__module__.split(".")[0] not in ("hydra", "omegaconf", "yaml")
        if ours and (started or not isinstance(error, ValueError)):
            raise
        raise UserError(compose.explain(error, overrides)) from None
    finally:
        sys.argv = before
        if nursery:
            nursery.end()
    return max(codes, default=0)


def _check_flags(arguments: list[str]) -> None:
    """Hydra's own parser prints a page for a flag that it does not know; a line is enough."""
    from hydra._internal.utils import get_args_parser

    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            get_args_parser().parse_args(arguments)
        except SystemExit as stop:
            if stop.code:
                reason = said.getvalue().strip().rpartition("error: ")[2]
                raise UserError(f"{reason} (see --help)") from None


def _mend_argparse() -> None:
    """Hydra 1.3 hands argparse a help object that Python 3.14 refuses; let it pass."""
    if sys.version_info >= (3, 14):
        import argparse

        argparse._ActionsContainer._check_help = lambda self, action: None  # type: ignore[attr-defined]
