"""Config to trainer: the only file that sees everything."""

import contextlib
import importlib
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from zoo import config as configs
from zoo.cli import report
from zoo.data.augment import Augment
from zoo.data.base import Dataset
from zoo.data.splits import Split
from zoo.errors import MissingFact, TrainingFailed, UserError
from zoo.registry import DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS, Registry
from zoo.runs.directory import RunDirectory, write_text
from zoo.schema import bind
from zoo.training import finish
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.evaluate import Interrupted
from zoo.training.launch import launch, launched
from zoo.training.loader import Loader
from zoo.training.precision import Precision, choose_precision
from zoo.training.runtime import Runtime, deterministic, mix_seed, seed_everything
from zoo.training.trainer import Plan, Trainer

Config = dict[str, Any]
INITIALISATION = 1  # keeps the seed of the weights apart from that of dropout
SPLIT_KEYS = ("val_fraction", "test_fraction", "split_seed", "folds", "fold")


def train(settings: Config, overrides: list[str], run: RunDirectory | None = None) -> int:
    """Train what a config says, in one process or in one for each device; the exit code."""
    import_plugins(settings if run is None else {"plugins": []})
    options = trainer_config(settings)
    check_options(settings)
    if options.devices > 1 and not launched():
        return launch(_rank, options.devices, settings, overrides, run.path if run else None)
    runtime = Runtime.start(options.device)
    try:
        return _train(settings, options, overrides, run, runtime)
    except (UserError, TrainingFailed) as error:
        if not runtime.main:
            return 2 if isinstance(error, UserError) else 1
        raise
    finally:
        runtime.stop()


def _rank(settings: Config, overrides: list[str], run: Path | None) -> int:
    import os

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(os.environ["WORLD_SIZE"])))
    return report(lambda: train(settings, overrides, RunDirectory(run) if run else None))


def _train(
    settings: Config,
    options: TrainerConfig,
    overrides: list[str],
    run: RunDirectory | None,
    runtime: Runtime,
) -> int:
    with deterministic(options.deterministic):
        if not runtime.main:
            runtime.first(None)  # rank 0 downloads or decodes; the others find it done
        dataset = build_dataset(settings["data"])
        if runtime.main:
            runtime.first(None)
        trainer = build_trainer(settings, options, dataset, runtime, run)
        if run is None:
            _record(trainer.run, settings, overrides, dataset, runtime)
        if runtime.main:
            trainer.console.log_to(trainer.run.path / "train.log")
        _header(trainer, settings, dataset)
        return _fit(trainer, settings)


def import_plugins(settings: Config) -> None:
    """Import the user's own modules, so that what they register has a name.

    Raises:
        UserError: A module that cannot be imported.
    """
    for name in settings["plugins"]:
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"plugins: cannot import '{name}' ({error}); is it on PYTHONPATH?"
            ) from None


def trainer_config(settings: Config) -> TrainerConfig:
    """The typed trainer settings."""
    return TrainerConfig(**bind(TrainerConfig, settings["trainer"], {}, "trainer", "default"))


def check_options(settings: Config) -> None:
    """Hold model, task, optimizer and schedule to their signatures before any data is read."""
    groups: dict[str, Registry] = {
        "model": MODELS,
        "task": TASKS,
        "optim": OPTIMIZERS,
        "schedule": SCHEDULES,
    }
    for group, registry in groups.items():
        with contextlib.suppress(MissingFact):
            registry.arguments(settings[group])
    SCHEDULES.build(settings["schedule"])
    for name, text in settings["expect"].items():
        finish.parse_expectation(name, text)
    batch_size = settings["data"].get("batch_size")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UserError(f"data.batch_size: got {batch_size}, expected a whole number above 0")
    workers = settings["data"].get("workers")
    if not isinstance(workers, int) or workers < 0:
        raise UserError(f"data.workers: got {workers}, expected a whole number, 0 or more")


def build_dataset(data: Config, encoding: Config | None = None) -> Dataset:
    """The dataset that `data` names.

    Args:
        data: The group's settings.
        encoding: What a run fitted on its training rows, to be used instead of fitting anew.
    """
    options = {k: v for k, v in data.items() if k not in (*SPLIT_KEYS, "batch_size", "augment")}
    workers = options.pop("workers", 0)
    split = Split(**{key: data[key] for key in SPLIT_KEYS if key in data})
    augment = None
    if "augment" in data:
        augment = Augment(**bind(Augment, data["augment"], {}, "data.augment", data["name"]))
    facts = {"split": split, "augment": augment, "encoding": encoding, "workers": workers}
    return DATASETS.build(options, **facts)


def build_part(registry: Registry, settings: Config, facts: Config) -> Any:
    """A model or task; where the data lacks a fact, the error names experiments that work."""
    try:
        return registry.build(settings[registry.kind], **facts)
    except MissingFact as missing:
        works = configs.experiments_with(registry.kind, missing.name)
        hint = f"; it works in experiment={' or '.join(works)}" if works else ""
        raise UserError(f"{missing} (data={settings['data']['name']}){hint}") from None


def build_trainer(
    settings: Config,
    options: TrainerConfig,
    dataset: Dataset,
    runtime: Runtime,
    run: RunDirectory | None = None,
) -> Trainer:
    """Everything that a run consists of; makes the run directory last, when all else fits.

    Args:
        settings: The checked config.
        options: Its trainer group.
        dataset: What to train on.
        runtime: Device and ranks.
        run: The directory to go on in, or None for a new one.
    """
    seed_everything(mix_seed(settings["seed"], INITIALISATION))
    model = build_part(MODELS, settings, dataset.facts).to(runtime.device)
    task = build_part(TASKS, settings, dataset.facts)
    loader = Loader(
        dataset,
        settings["data"]["batch_size"],
        settings["seed"],
        runtime,
        options.accumulate,
        settings["data"]["workers"],
        options.overfit,
    )
    plan = make_plan(options, loader)
    batch = next(loader.training(0, 1))[0]
    try_out(model, task, batch, settings)
    name, reason = choose_precision(
        options.precision, model, task, batch, runtime, options.deterministic
    )
    console = Console(runtime.main)
    console.precision_reason = reason
    trainer = Trainer(
        model=model,
        task=task,
        loader=loader,
        optimizer=OPTIMIZERS.build(settings["optim"], model=model),
        schedule=SCHEDULES.build(settings["schedule"]),
        config=options,
        plan=plan,
        runtime=runtime,
        precision=Precision(name, runtime.device),
        console=console,
        run=run or make_run(settings, model, runtime),
        data_sha256=dataset.sha256,
    )
    seed_everything(settings["seed"], runtime.rank)
    return trainer


def try_out(
    model: torch.nn.Module, task: Any, batch: dict[str, torch.Tensor], settings: Config
) -> None:
    """One forward pass before anything is written: shapes that do not fit are a clear error.

    Raises:
        UserError: The model refuses the batch.
    """
    try:
        with torch.no_grad():
            task.step(model.eval(), {name: column[:2] for name, column in batch.items()})
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        shapes = ", ".join(f"{n} {tuple(c.shape)} {c.dtype}" for n, c in batch.items())
        raise UserError(
            f"model={settings['model']['name']} and task={settings['task']['name']} do not take "
            f"the batches of data={settings['data']['name']} ({shapes}): "
            f"{str(error).splitlines()[0]}"
        ) from None
    finally:
        model.train()


def make_plan(options: TrainerConfig, loader: Loader) -> Plan:
    """Epochs to steps, here and nowhere else."""
    steps = options.max_steps or loader.steps(options.max_epochs or 1)
    return Plan(
        max_steps=steps,
        eval_steps=options.eval_steps or loader.steps(options.eval_epochs),
        log_steps=options.log_steps or max(min(50, steps // 4), steps // 200, 1),
        save_steps=options.save_steps,
    )


def make_run(settings: Config, model: torch.nn.Module, runtime: Runtime) -> RunDirectory:
    """A new run directory, rank 0's for all; refuses a disk too small for the checkpoints."""
    weights = sum(t.nbytes for t in model.state_dict().values())
    needed = 8 * weights + 2**20  # two full checkpoints (weights and optimizer), two of the best
    made: RunDirectory | UserError | None = None
    if runtime.main:
        try:
            made = RunDirectory.create(settings["output_dir"], settings["name"], needed)
        except UserError as error:
            made = error
    made = runtime.first(made)
    if isinstance(made, UserError):
        raise made
    assert made is not None
    return made


def _record(
    run: RunDirectory, settings: Config, overrides: list[str], dataset: Dataset, runtime: Runtime
) -> None:
    """What was asked for and what the data said, before the first step."""
    if runtime.main:
        write_text(run.path / "config.yaml", yaml.safe_dump(settings, sort_keys=False))
        write_text(run.path / "overrides.txt", "\n".join(overrides) + "\n")
        content = {"facts": dataset.facts, "encoding": dataset.encoding.to_json()}
        run.write_json("dataset.json", content | {"sha256": dataset.sha256})


def _header(trainer: Trainer, settings: Config, dataset: Dataset) -> None:
    console, runtime, plan = trainer.console, trainer.runtime, trainer.plan
    sizes = {name: len(source) for name, source in dataset.splits.items()}
    shape = "x".join(map(str, dataset.facts["input_shape"]))
    kinds = f", {n} classes" if (n := dataset.facts.get("num_classes")) else ""
    parameters = sum(p.numel() for p in trainer.parameters)
    deals = " / ".join(f"{size:,} {name}" for name, size in sizes.items())
    place = f"{runtime.device}, {torch.get_num_threads()} threads"
    place += f", {runtime.ranks} ranks" if runtime.ranks > 1 else ""
    console.line(f"run        {trainer.run.path}")
    console.line(f"model      {settings['model']['name']}, {parameters:,} parameters")
    console.line(f"data       {settings['data']['name']}, input {shape}{kinds}: {deals}")
    console.line(f"device     {place}")
    console.line(f"precision  {trainer.precision.name} ({console.precision_reason})")
    console.line(
        f"budget     {plan.max_steps:,} steps of {trainer.loader.batch_size} samples = "
        f"{trainer.loader.epochs(plan.max_steps):.4g} epochs; seed {settings['seed']}"
    )
    for note in dataset.notes:
        console.line(f"note       {note}")
    console.line()


def _fit(trainer: Trainer, settings: Config) -> int:
    """Train, judge, and write result.json whatever happens."""
    command = shlex.join(["python", *sys.argv])
    outcome: Config = {"status": "failed", "reason": None, "command": command}
    code = 0
    try:
        with trainer.signals.caught():
            trainer.fit()
            if trainer.signalled is None:
                code = _conclude(trainer, settings, outcome)
        if trainer.signalled is not None:
            outcome |= {"status": "interrupted", "reason": trainer.ended}
            code = 128 + trainer.signalled
            trainer.console.line(
                f"\nstopped by {trainer.ended} after step {trainer.step}; go on with"
            )
            trainer.console.line(f"  python train.py resume={trainer.run.path}")
        return code
    except Interrupted:
        outcome |= {"status": "interrupted", "reason": f"signal {trainer.signals.received}"}
        return 128 + (trainer.signals.received or 0)
    except BaseException as error:
        outcome["reason"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        if trainer.runtime.main:
            with contextlib.suppress(OSError):
                trainer.run.write_json("result.json", finish.result(trainer, settings, **outcome))
            if trainer.logger:
                trainer.logger.close()


def _conclude(trainer: Trainer, settings: Config, outcome: Config) -> int:
    figures, details = finish.judge(trainer)
    expect = {"val/loss": "<= 0.1"} if trainer.config.overfit else settings["expect"]
    met = finish.compare(expect, figures)
    outcome |= {"status": "done", **figures, "expect": met}
    if trainer.logger and trainer.runtime.main:
        flat = {name: _value(settings, name) for name in configs.leaves(settings)}
        final = {f"{s}/{n}": v for s, row in figures.items() for n, v in row.items()}
        trainer.logger.hparams(flat, final)
        if details:
            trainer.run.write_json("test_details.json", details)
    finish.close(trainer, figures, met)
    return 0


def _value(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = settings[part]
    return settings
