"""`zoo.train(...)`: train.py as a function."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from zoo.api.run import Run
from zoo.commands.arguments import with_config_dir
from zoo.commands.train import configured
from zoo.commands.unsupported import refuse_unsupported
from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.program import started_as

_ONE_AT_A_TIME = threading.RLock()  # random numbers, flags and streams are the process's


def train(*settings: str, quiet: bool = False) -> Run:
    """Train a model in this process, as `zoo train` does; returns the run.

    The same settings give the same run as on the command line, bit for bit, below the same
    `output_dir`. Random numbers, signals and flags of this process are left as they were. A call in
    another thread waits until this one has ended.

    Args:
        *settings: As typed behind `zoo train`: "experiment=cnn_digits", "optim.lr=3e-3". With
            "resume=outputs/..." a stopped run goes on; "--config-dir=<folder>" adds configs.
        quiet: Print nothing; the run's train.log has all lines.

    Raises:
        UserError: A mistake in the settings or the data.
        TrainingFailed: The loss is not finite, or memory is full.
        KeyboardInterrupt: Training was stopped by Ctrl-C; "resume=<folder>" goes on.
    """
    if wrong := [setting for setting in settings if not isinstance(setting, str)]:
        raise UserError(f"zoo.train: got {wrong[0]!r}, expected settings such as 'optim.lr=1e-3'")
    with _ONE_AT_A_TIME, started_as("zoo train", settings), _output(quiet), _without_hydra():
        code, run = with_config_dir(_train, list(settings))
    if code > 128:  # a signal, which has ended the training, does now what it would have done
        signal.raise_signal(code - 128)
    return run


def _train(overrides: list[str]) -> tuple[int, Run]:
    """The exit code, and the run."""
    refuse_unsupported(overrides)
    if flags := [word for word in overrides if word.startswith("-")]:
        instead = (
            "call it once for each run"
            if flags[0] in ("-m", "--multirun")
            else "see help(zoo.train)"
        )
        raise UserError(
            f"'{flags[0]}' is for the command line; zoo.train takes settings: {instead}"
        )
    config, resumed = configured(overrides)
    if config.trainer.devices > 1:
        raise UserError(
            f"trainer.devices={config.trainer.devices} starts further processes, and zoo.train is "
            f"one; use the command line, then zoo.load"
        )
    from zoo.api.kept import rng_kept
    from zoo.session import train

    with rng_kept():
        ended = train(config, [*configs.config_dir_flag(), *overrides], resumed)
    assert ended.run is not None
    return ended.code, Run(ended.run.path)


@contextlib.contextmanager
def _output(quiet: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if quiet:
            nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        yield


@contextlib.contextmanager
def _without_hydra() -> Iterator[None]:
    """Set the state of a program aside that uses Hydra itself: its configs are not ours."""
    from hydra.core.global_hydra import GlobalHydra

    own, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = own
