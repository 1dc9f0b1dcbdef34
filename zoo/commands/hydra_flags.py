"""Command lines that Hydra handles itself: sweeps (`-m`), and its own flags."""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.text import quoted
from zoo.errors import UserError
from zoo.program import by_zoo

if TYPE_CHECKING:
    from zoo.sweep.fork_server import ForkServer


def run_hydra(
    run: Callable[[list[str]], int], arguments: list[str], server: "ForkServer | None"
) -> int:
    """Hand a command line to Hydra; returns the exit code.

    Args:
        run: Trains from overrides.
        arguments: As typed, but for `--config-dir`.
        server: Forks the trials of a sweep.

    Raises:
        UserError: A mistake that Hydra, OmegaConf or YAML reports.
    """
    codes: list[int] = []
    overrides = [a for a in arguments if not a.startswith("-")]
    started = False

    def job(_: DictConfig) -> None:
        nonlocal started
        started = True
        codes.append(run(list(HydraConfig.get().overrides.task)))

    job.codes, job.fork_server = codes, server  # type: ignore[attr-defined]  # for our sweeper
    _patch_argparse()
    multirun = ("-m", "--multirun")  # wherever typed
    is_sweep = not {*multirun}.isdisjoint(arguments)
    arguments = quoted(map(compose.opened, arguments), is_sweep)
    arguments.sort(key=lambda a: a not in multirun)
    _check_flags(arguments)
    compose.check_choices(overrides)
    if folder := configs.added_config_dir():
        arguments += ["--config-dir", str(folder)]
    before = sys.argv
    sys.argv = [before[0] if by_zoo() else "train.py", *arguments]  # Hydra reads them there
    main = hydra.main(config_path=str(configs.CONFIG_DIR), config_name="train", version_base=None)
    try:
        main(job)()
    except UserError:
        raise
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:
        is_internal = type(error).__module__.split(".")[0] not in ("hydra", "omegaconf", "yaml")
        if is_internal and (started or not isinstance(error, ValueError)):
            raise
        raise UserError(compose.explain(error, overrides)) from None
    finally:
        sys.argv = before
    return max(codes, default=0)


def _check_flags(arguments: list[str]) -> None:
    """Hydra's own parser prints a page for a flag that it does not know; a line is enough."""
    from hydra._internal.utils import get_args_parser

    stderr = io.StringIO()
    with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
        try:
            get_args_parser().parse_args(arguments)
        except SystemExit as stop:
            if stop.code:
                reason = stderr.getvalue().strip().rpartition("error: ")[2]
                raise UserError(f"{reason} (see --help)") from None


def _patch_argparse() -> None:
    """Hydra 1.3 hands argparse a help object that Python 3.14 refuses; let it pass."""
    if sys.version_info >= (3, 14):
        import argparse

        argparse._ActionsContainer._check_help = lambda self, action: None  # type: ignore[attr-defined]
