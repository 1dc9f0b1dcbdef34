"""One training session: from a checked config to an exit code and a result, whatever happens."""

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from zoo.build import build_dataset, build_trainer, check_options, import_plugins, trainer_config
from zoo.config import groups as configs
from zoo.data.dataset import Dataset
from zoo.data.encoding import load_encoding
from zoo.errors import TrainingFailed, UserError, report
from zoo.files import write_text
from zoo.kernels import forget_used_kernels
from zoo.program import command_line, spelled
from zoo.runs import hparams
from zoo.runs.directory import RunDirectory
from zoo.training import finish
from zoo.training.config import TrainerConfig
from zoo.training.evaluate import Interrupted
from zoo.training.launch import launch, launched
from zoo.training.runtime import Runtime, deterministic
from zoo.training.trainer import Trainer
from zoo.weights.adapters import read_adapter
from zoo.weights.adopt import adopt, given_tokenizer
from zoo.weights.source import Source, open_source

Config = dict[str, Any]


def train(
    settings: Config,
    overrides: list[str],
    run: RunDirectory | None = None,
    place: Path | None = None,
) -> int:
    """Train what a config says, in one process or in one for each device; the exit code.

    Args:
        settings: The checked config.
        overrides: As typed.
        run: The directory to go on in, None for a new one.
        place: Where to make a new one; None for a name after the date and time.
    """
    import_plugins(settings)
    options = trainer_config(settings)
    check_options(settings)
    if options.devices > 1 and not launched():
        there = run.path if run else None
        return launch(_rank, options.devices, settings, overrides, there, place)
    runtime = Runtime.start(options.device)
    try:
        return _train(settings, options, overrides, run, place, runtime)
    except (UserError, TrainingFailed) as error:
        if not runtime.main:
            return 2 if isinstance(error, UserError) else 1
        error.__context__ = None  # no frame may keep the trainer: torch 2.13 can hang at the end
        raise error.with_traceback(None) from None  # where DDP outlives its process group
    finally:
        runtime.stop()


def _rank(settings: Config, overrides: list[str], run: Path | None, place: Path | None) -> int:
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ["WORLD_SIZE"])))
    return report(lambda: train(settings, overrides, RunDirectory(run) if run else None, place))


def _train(
    settings: Config,
    options: TrainerConfig,
    overrides: list[str],
    run: RunDirectory | None,
    place: Path | None,
    runtime: Runtime,
) -> int:
    with deterministic(options.deterministic):
        if not runtime.main:
            runtime.first(None)  # rank 0 downloads or decodes; the others find it done
        source, tokenizer = None, None
        if settings["init"]["from"]:
            settings, source, tokenizer = _start_from(settings, overrides, run)
        dataset = build_dataset(settings["data"], tokenizer=tokenizer)
        if runtime.main:
            runtime.first(None)
        trainer = build_trainer(settings, options, dataset, runtime, run, source, place)
        if run is None:
            _record(trainer, settings, overrides, dataset)
        elif runtime.main and settings != configs.read_yaml(run.path / "config.yaml"):
            _record_settings(run, settings)  # a budget that was changed
        if runtime.main:
            trainer.console.log_to(trainer.run.path / "train.log")
        _header(trainer, settings, dataset)
        return _fit(trainer, settings)


def _start_from(
    settings: Config, overrides: list[str], run: RunDirectory | None
) -> tuple[Config, Source | None, Any]:
    """The config, weights and tokenizer that `init.from` makes of a config; a run that goes on has
    its config and tokenizer already, and but for an adapter's base needs no weights."""
    if run is None:
        source = open_source(settings["init"]["from"])
        typed = [configs.key_of(override) for override in overrides]
        tokenizer = given_tokenizer(settings, source, typed)
        settings = adopt(settings, source, typed)
        if Path(settings["init"]["from"]).expanduser().exists():  # no name on the Hub
            # The same from any folder; and of a folder of runs, the one that was taken.
            settings = settings | {"init": settings["init"] | {"from": str(source.path.resolve())}}
    else:
        encoding = load_encoding(run.read_json("dataset.json")["encoding"])
        tokenizer = getattr(encoding, "tokenizer", None)
        if settings["adapter"]["name"] == "none" and any(run.checkpoints.glob("last-*")):
            return settings, None, tokenizer
        source = open_source(settings["init"]["from"])
    if given := settings["init"]["adapter"]:
        options = source.settings | settings["model"]
        found = read_adapter(given, source.sha256, source.model, options)
        settings = settings | {"adapter": settings["adapter"] | found.options}
        source = replace(source, adapter=found.tensors)
    return settings, source, tokenizer


def _record_settings(run: RunDirectory, settings: Config) -> None:
    write_text(run.path / "config.yaml", yaml.safe_dump(settings, sort_keys=False))


def _record(trainer: Trainer, settings: Config, overrides: list[str], dataset: Dataset) -> None:
    """What was asked for, what the data said and what is watched, before the first step."""
    if trainer.runtime.main:
        run = trainer.run
        _record_settings(run, settings)
        write_text(run.path / "overrides.txt", "\n".join(overrides) + "\n")
        content = {"facts": dataset.facts, "encoding": dataset.encoding.to_json()}
        content |= {"sha256": dataset.sha256, "monitor": trainer.task.monitor}
        run.write_json("dataset.json", content)


def _header(trainer: Trainer, settings: Config, dataset: Dataset) -> None:
    console, runtime, budget = trainer.console, trainer.runtime, trainer.budget
    sizes = {name: len(source) for name, source in dataset.splits.items()}
    kinds = f", {n} classes" if (n := dataset.facts.get("num_classes")) else ""
    parameters = sum(p.numel() for p in trainer.model.parameters())
    trained = sum(p.numel() for p in trainer.parameters)
    share = f", {trained:,} trained ({trained / parameters:.2%})" if trained < parameters else ""
    deals = " / ".join(f"{size:,} {name}" for name, size in sizes.items())
    place = f"{runtime.device}, {torch.get_num_threads()} threads"
    place += f", {runtime.ranks} ranks" if runtime.ranks > 1 else ""
    console.line(f"run        {trainer.run.path}")
    console.line(f"model      {settings['model']['name']}, {parameters:,} parameters{share}")
    if console.weights is not None:
        console.line(f"weights    {settings['init']['from']}")
        console.line(console.weights.table())
    console.line(
        f"data       {settings['data']['name']}, input {_shape(dataset.facts)}{kinds}: {deals}"
    )
    console.line(f"device     {place}")
    console.line(f"precision  {trainer.precision.name} ({console.precision_reason})")
    console.line(
        f"budget     {budget.max_steps:,} steps of {trainer.loader.batch_size} samples = "
        f"{trainer.loader.epochs(budget.max_steps):.4g} epochs; seed {settings['seed']}"
    )
    for note in dataset.notes:
        console.line(f"note       {note}")
    console.line()


def _shape(facts: Config) -> str:
    """One sample: `1x8x8` values, or so many tokens of so many."""
    if "input_shape" in facts:
        return "x".join(map(str, facts["input_shape"]))
    length = facts.get("block_size") or facts.get("max_length")
    return f"{length} tokens of {facts['vocab_size']:,}"


def _fit(trainer: Trainer, settings: Config) -> int:
    """Train, judge, and write result.json whatever happens."""
    outcome: Config = {"status": "failed", "reason": None, "command": command_line()}
    code = 0
    try:
        if trainer.runtime.main:
            hparams.begin(trainer.run.path, settings)
        with trainer.signals.caught(), _told_once():
            forget_used_kernels()
            trainer.fit()
            if trainer.signalled is None:
                code = _conclude(trainer, settings, outcome)
        if trainer.signalled is not None:
            outcome |= {"status": "interrupted", "reason": trainer.ended}
            code = 128 + trainer.signalled
            trainer.console.line(
                f"\nstopped by {trainer.ended} after step {trainer.step}; go on with"
            )
            trainer.console.line(spelled(f"  python train.py resume={trainer.run.path}"))
        return code
    except Interrupted:
        outcome |= {"status": "interrupted", "reason": f"signal {trainer.signals.received}"}
        return 128 + (trainer.signals.received or 0)
    except OSError as error:
        outcome["reason"] = str(error)
        raise UserError(_complaint(error, trainer.run)) from None
    except BaseException as error:
        outcome["reason"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        if trainer.runtime.main:
            with contextlib.suppress(OSError):
                trainer.run.write_json("result.json", finish.result(trainer, settings, **outcome))
            with contextlib.suppress(OSError):
                if trainer.logger:
                    trainer.logger.close()
            with contextlib.suppress(OSError):
                if outcome["status"] != "interrupted":  # it may go on
                    hparams.end(trainer.run.path, done=outcome["status"] == "done")


def _complaint(error: OSError, run: RunDirectory) -> str:
    """A disk that refuses, in one line."""
    file = error.filename.decode() if isinstance(error.filename, bytes) else error.filename
    return (
        f"cannot go on with {run.path}: {error.strerror or error}{f' ({file})' if file else ''}; "
        f"{shutil.disk_usage(run.path).free:,} bytes are free; mend it and go on with "
        f"resume={run.path}"
    )


@contextlib.contextmanager
def _told_once() -> Iterator[None]:
    """TensorBoard's writing thread hands an error on to us; it need not print it as well."""
    before = threading.excepthook

    def hook(caught: threading.ExceptHookArgs) -> None:
        if not issubclass(caught.exc_type, OSError):
            before(caught)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _conclude(trainer: Trainer, settings: Config, outcome: Config) -> int:
    figures, details = finish.evaluate_best(trainer)
    expect = {"val/loss": "<= 0.1"} if trainer.config.overfit else settings["expect"]
    met = finish.check_expectations(expect, figures)
    outcome |= {"status": "done", **figures, "expect": met}
    if details and trainer.runtime.main:
        trainer.run.write_json("test_details.json", details)
    finish.print_summary(trainer, figures, met)
    return 0
