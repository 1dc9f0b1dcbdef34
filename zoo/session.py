"""One training session: from a checked config to an exit code and a result, whatever happens."""

import contextlib
import os
import shlex
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

from zoo.build import build_trainer, check_options
from zoo.config.run import RunConfig
from zoo.config.saved import read_config
from zoo.errors import TrainingFailed, UserError, report
from zoo.files import lock
from zoo.header import print_header
from zoo.importing import import_plugins
from zoo.kernels import forget_used_kernels
from zoo.number_format import First, of_resumed, products_of, with_precision
from zoo.program import command_line, spelled
from zoo.record import disk_error_message, record_run, refused_writes
from zoo.report import write as write_report
from zoo.report.page import FILE as REPORT
from zoo.runs import hparams
from zoo.runs.directory import RunDirectory
from zoo.runs.result import FILE as RESULT
from zoo.start import Start, find_data, find_start
from zoo.training import finish
from zoo.training.collectives import lost_ranks_reported, main_first
from zoo.training.elastic import by_torchrun, restarted_run
from zoo.training.evaluate import Interrupted
from zoo.training.launch import end_with_launcher, launch, launched
from zoo.training.memory import first_line, is_out_of_memory
from zoo.training.runtime import Runtime, choose_device, deterministic
from zoo.training.trainer import Trainer

LOG = "train.log"
ENDING_SECONDS = 10.0  # in which the reading processes of a killed run have ended


class Ended(NamedTuple):
    """How a session ended: the exit code, and the run; None where its ranks are other processes."""

    code: int
    run: RunDirectory | None = None


def train(
    config: RunConfig,
    overrides: list[str],
    run: RunDirectory | None = None,
    folder: Path | None = None,
    first: First | None = None,
) -> Ended:
    """Train as the config says, in one process or one per device.

    Args:
        config: The checked config.
        overrides: As typed.
        run: The directory of the run to resume, None for a new one.
        folder: The new directory; None for one named by date and time.
        first: The first trial of the sweep that this run is part of, by whose model
            trainer.precision=auto is decided for all; None outside of a sweep.
    """
    import_plugins(config.plugins)
    check_options(config)
    if config.trainer.devices > 1 and not launched():
        choose_device(config.trainer.device, 0, config.trainer.devices)
        resumed = run.path if run else None
        given = (config, overrides, resumed, folder, first)
        return Ended(launch(_rank, config.trainer.devices, *given))
    if by_torchrun():
        end_with_launcher()
    runtime = Runtime.start(config.trainer.device)
    try:
        with lost_ranks_reported(runtime.ranks):
            return _train(config, overrides, run, folder, runtime, first)
    except (UserError, TrainingFailed) as error:
        if not runtime.main:
            return Ended(2 if isinstance(error, UserError) else 1)
        error.__context__ = None  # no frame may keep the trainer: torch 2.13 can hang at the end
        raise error.with_traceback(None) from None  # where DDP outlives its process group
    finally:
        runtime.stop()


def _rank(
    config: RunConfig,
    overrides: list[str],
    run: Path | None,
    folder: Path | None,
    first: First | None,
) -> int:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ["WORLD_SIZE"])))
    directory = RunDirectory(run) if run else None
    return report(lambda: train(config, overrides, directory, folder, first).code)


def _train(
    config: RunConfig,
    overrides: list[str],
    run: RunDirectory | None,
    folder: Path | None,
    runtime: Runtime,
    first: First | None,
) -> Ended:
    is_own = run is None  # the config of a run that is resumed may be somebody else's
    if run is None:
        run = runtime.first(restarted_run(Path(config.output_dir) / config.name, overrides))
        config = read_config(run.path) if run else config
    with deterministic(config.trainer.deterministic), contextlib.ExitStack() as held:
        with main_first(runtime):
            if run and runtime.main:
                with refused_writes(run, is_new=False):
                    held.enter_context(_alone(run))
            start = find_start(config, overrides, run, runtime)
            start, dataset = find_data(start, overrides, run is None, is_own)
            config = of_resumed(start.config, run) if run else start.config
        products = products_of(first, config, runtime)
        parts = (dataset, runtime, run, start.source, start.teacher, folder, products)
        trainer = build_trainer(config, *parts)
        if run and config.trainer.precision != "auto":
            trainer.console.precision_reason = "as before"
        start = replace(start, config=with_precision(config, trainer.precision.name))
        if runtime.main:
            with refused_writes(trainer.run, is_new=run is None):
                if run is None:
                    held.enter_context(_alone(trainer.run))
                trainer.console.log_to(trainer.run.path / LOG)
                record_run(trainer, start, overrides, dataset, run)
                print_header(trainer, start, dataset)
        return Ended(_fit(trainer, start), trainer.run)


@contextlib.contextmanager
def _alone(run: RunDirectory) -> Iterator[None]:
    """Keep other processes from training a run: both would write its files.

    Raises:
        UserError: One does.
    """
    with (run.path / LOG).open("a") as file:
        if not lock(file, ENDING_SECONDS):
            raise UserError(f"{run.path}: another process is training this run; wait for its end")
        yield


def _fit(trainer: Trainer, start: Start) -> int:
    """Train, evaluate the best weights, and write result.json whatever happens."""
    config = start.config
    outcome: dict[str, Any] = {"status": "failed", "reason": None, "command": command_line()}
    if start.teacher:
        outcome["teacher"] = start.teacher.identity
    if start.tokenizer and config.init.from_:
        outcome["tokenizer"] = start.tokenizer.identity()
    code = 0
    try:
        if trainer.runtime.main:
            # Of a resumed run: their figures would stand beside the new budget.
            for file in (RESULT, REPORT):
                (trainer.run.path / file).unlink(missing_ok=True)
            hparams.begin(trainer.run.path, config.to_dict())
        lost = lost_ranks_reported(trainer.runtime.ranks, f"; resume={trainer.run.path} goes on")
        caught = trainer.signals.caught(answers=trainer.runtime.main)
        with caught, _suppress_writer_traceback(), lost:
            forget_used_kernels()
            trainer.fit()
            if trainer.signalled is None:
                code = _finish(trainer, config, outcome)
        if trainer.signalled is not None:
            outcome |= {"status": "interrupted", "reason": trainer.ended}
            code = _stopped(trainer, config, trainer.signalled)
        return code
    except Interrupted:
        number = trainer.signals.received or 0
        outcome |= {"status": "interrupted", "reason": f"signal {number}"}
        return _stopped(trainer, config, number)
    except OSError as error:
        outcome["reason"] = str(error)
        raise UserError(disk_error_message(error, trainer.run)) from None
    except BaseException as error:
        outcome["reason"] = f"{type(error).__name__}: {error}"
        if is_out_of_memory(error):
            raise TrainingFailed(_out_of_memory(error, trainer, config)) from None
        raise
    finally:
        if trainer.runtime.main:
            _write_result(trainer, config, outcome)


def _stopped(trainer: Trainer, config: RunConfig, number: int) -> int:
    """Say what is saved and how to go on; the exit code of a run stopped by a signal."""
    words = [f"resume={trainer.run.path}", *_needed(config)]
    finish.print_stopped(trainer, number, f"python train.py {shlex.join(words)}")
    return 128 + number


def _needed(config: RunConfig) -> list[str]:
    """What a command on the run needs besides its folder, which imports no plugin by itself."""
    return [f"plugins=[{','.join(config.plugins)}]"] if config.plugins else []


def _out_of_memory(error: BaseException, trainer: Trainer, config: RunConfig) -> str:
    """One line, and the command that goes on with smaller micro-batches where there are any."""
    loader, parts = trainer.loader, 2 * trainer.loader.accumulate
    remedy = "lower data.batch_size"
    can_be_cut = not getattr(trainer.task, "whole_batch", False)
    if can_be_cut and parts * trainer.runtime.ranks <= loader.batch_size:
        words = [f"resume={trainer.run.path}", f"trainer.accumulate={parts}", *_needed(config)]
        resume = shlex.join(words)
        remedy = spelled(f"python train.py {resume} goes on with the same batches in smaller parts")
    return f"out of memory after step {trainer.step}: {first_line(error)}; {remedy}"


def _write_result(trainer: Trainer, config: RunConfig, outcome: dict[str, Any]) -> None:
    """Write result.json, end the event file and the HParams entry; a full disk is no error here."""
    with contextlib.suppress(OSError):
        identity = {"experiment": config.experiment, "name": config.name, "seed": config.seed}
        identity |= {"model": config.model["name"]}
        identity |= {"ended": datetime.now(UTC).isoformat(timespec="milliseconds")}
        result = finish.result(trainer, identity, config.data["name"], **outcome)
        trainer.run.write_json("result.json", result)
    with contextlib.suppress(OSError):
        if trainer.logger:
            trainer.logger.close()
    with contextlib.suppress(OSError):
        if outcome["status"] != "interrupted":  # it may be resumed
            hparams.end(trainer.run.path, done=outcome["status"] == "done")
    with contextlib.suppress(OSError):  # a warning goes to train.log too
        write_report.attempt(write_report.write_run, trainer.run.path, trainer.console.warn)


@contextlib.contextmanager
def _suppress_writer_traceback() -> Iterator[None]:
    """TensorBoard's writer thread passes an error on to us; it need not print it as well."""
    before = threading.excepthook

    def hook(caught: threading.ExceptHookArgs) -> None:
        if not issubclass(caught.exc_type, OSError):
            before(caught)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _finish(trainer: Trainer, config: RunConfig, outcome: dict[str, Any]) -> int:
    """Evaluate the best weights on the test split; the exit code."""
    metrics, details = finish.evaluate_best(trainer)
    expect = {"val/loss": "<= 0.1"} if trainer.config.overfit else config.expect
    met = finish.check_expectations(expect, metrics, trainer.console.warn)
    baseline = trainer.yardstick.entry(metrics)
    outcome |= {"status": "done", **metrics, "baseline": baseline, "expect": met}
    if details and trainer.runtime.main:
        trainer.run.write_json("test_details.json", details)
    finish.print_summary(trainer, metrics, met, baseline, _needed(config))
    return 0
