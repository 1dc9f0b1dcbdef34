"""Builds a trainer from a config; the only module that imports every kind of part."""

import contextlib
import math
from pathlib import Path
from typing import Any

from torch import nn

from zoo.config import groups as configs
from zoo.config.run import InitConfig, Options, RunConfig
from zoo.data.build import added_settings as added_settings
from zoo.data.build import build_dataset as build_dataset
from zoo.data.dataset import Dataset
from zoo.errors import MissingFact, UserError
from zoo.optim.rates import build_optimizer, check_rates
from zoo.registry import ADAPTERS, MODELS, OPTIMIZERS, SCHEDULES, TASKS, Registry
from zoo.rng import mix_seed
from zoo.runs.directory import RunDirectory
from zoo.schema import parameters
from zoo.teacher import Teacher, check_teacher, keep_apart
from zoo.training import finish
from zoo.training.balance import keep_balance
from zoo.training.budget import Budget, log_interval
from zoo.training.checkpoint import load_model, trainable_state_dict
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.dry_run import DryRun
from zoo.training.evaluate import check_predictions
from zoo.training.inside import watch
from zoo.training.loader import Loader
from zoo.training.monitor import check_monitor, set_monitor
from zoo.training.precision import Precision
from zoo.training.products import Products
from zoo.training.runtime import Runtime, seed_everything
from zoo.training.step import prepare_task
from zoo.training.trainer import Trainer
from zoo.weights.files import weights_sha256
from zoo.weights.frozen import check_frozen, frozen_format, pack_frozen
from zoo.weights.layers import with_layers
from zoo.weights.load import Report, load_weights
from zoo.weights.mapped import release_freed
from zoo.weights.source import Source

MAX_WORKERS = 1_000
INITIALISATION = 1  # keeps the seed of the weights apart from that of dropout


def check_options(config: RunConfig) -> None:
    """Check every group against the signature of what it names, before any data is read.

    Raises:
        UserError: Unknown names and options, wrong types, groups that do not go together.
    """
    groups: tuple[tuple[Registry, Options], ...] = (
        (MODELS, config.model),
        (TASKS, config.task),
        (ADAPTERS, config.adapter),
        (OPTIMIZERS, config.optim),
        (SCHEDULES, config.schedule),
    )
    for registry, options in groups:
        with contextlib.suppress(MissingFact):
            registry.arguments(options)
    for part, options in config.model.items():
        if isinstance(options, dict) and "name" in options:  # a model that is a part of the model
            with contextlib.suppress(MissingFact):
                MODELS.under(f"model.{part}").arguments(options)
    SCHEDULES.build(config.schedule)
    check_rates(config.optim)
    _check_adapter(config.adapter["name"], config.init)
    check_teacher(config)
    _check_pairs(config)
    for name, text in config.expect.items():
        finish.parse_expectation(name, text)
    check_batches(config.data)


def check_batches(data: Options) -> None:
    """Check how samples are read: the settings of data that the loader takes.

    Raises:
        UserError: One is no whole number, or out of bounds.
    """
    for key, least, most in (("batch_size", 1, math.inf), ("workers", 0, MAX_WORKERS)):
        value = data.get(key)
        if not isinstance(value, int) or not least <= value <= most:
            limit = f", at most {most}" if most < math.inf else ""
            raise UserError(
                f"data.{key}: got {value}, expected a whole number, {least} or more{limit}"
            )


def _check_pairs(config: RunConfig) -> None:
    """Check that pairs of passages are for a task that reads them as such, and that tokens are
    reserved for one that needs them."""
    task = config.task["name"]
    takes = parameters(TASKS[task].builder)
    if {"mask_id", "bos_id"} <= takes.keys() and not config.data.get("denoising"):
        raise UserError(
            f"task={task} needs tokens that running text has with data.denoising=true (data=text, "
            f"data=pydoc); got data={config.data['name']}"
        )
    if config.data.get("next_sentence") and "next_sentence" not in takes:
        raise UserError(
            f"data.next_sentence=true gives pairs of passages, which task={task} does not read; "
            f"take model=bert task=masked_lm, or leave it out"
        )


def _check_adapter(name: str, init: InitConfig) -> None:
    if init.adapter and name != "lora":
        raise UserError(f"init.adapter is for adapter=lora, got adapter={name}")
    if name != "none" and not init.from_:
        raise UserError(
            f"adapter={name} changes trained weights, and there are none: set init.from=<a run, "
            f"or published weights>"
        )
    check_frozen(init, name)


def build_component(registry: Registry, options: Options, facts: dict[str, Any], data: str) -> Any:
    """A model or task; where the data lacks a fact, the error names experiments that work.

    Args:
        registry: Models or tasks.
        options: The group's settings.
        facts: Facts of the data.
        data: Its name, for the message.
    """
    try:
        return registry.build(options, **facts)
    except MissingFact as missing:
        works = configs.experiments_with(registry.kind, missing.name)
        hint = f"; it works in experiment={' or '.join(works[:4])}" if works else ""
        if registry is MODELS and "feature_names" in facts:
            hint = "; for tables take model=mlp"
        raise UserError(f"{missing} (data={data}){hint}") from None


def build_trainer(
    config: RunConfig,
    dataset: Dataset,
    runtime: Runtime,
    run: RunDirectory | None = None,
    source: Source | None = None,
    teacher: Teacher | None = None,
    folder: Path | None = None,
    products: Products | None = None,
) -> Trainer:
    """Everything that a run consists of; makes the run directory last, when all else fits.

    Args:
        config: The checked config.
        dataset: The dataset to train on.
        runtime: Device and ranks.
        run: The directory of a run that is resumed, or None for a new one.
        source: Weights to start from, or None for random ones.
        teacher: A trained network for the task or the model, or None.
        folder: The new directory; None for one named by date and time.
        products: Those by which trainer.precision=auto is decided; None for this model's.
    """
    options, console = config.trainer, Console(runtime.main)
    dry_run, console.weights = build_dry_run(config, dataset, runtime, source, teacher)
    model, task, loader = dry_run.model, dry_run.task, dry_run.loader
    precision, console.precision_reason = dry_run.choose(options.precision, products)
    own, recorded = task.monitor, run.monitor() if run else None
    if set_monitor(task, config.task, recorded):
        check_monitor(dry_run, own)
    check_predictions(task, loader, runtime)
    prepare_task(task, options.accumulate, runtime.ranks, loader.batch_size)
    trainer = Trainer(
        model=model,
        task=task,
        loader=loader,
        optimizer=build_optimizer(config.optim, model),
        schedule=SCHEDULES.build(config.schedule),
        config=options,
        budget=make_budget(options, loader),
        runtime=runtime,
        precision=Precision(precision, runtime.device),
        console=console,
        run=run or make_run(config.output_dir, config.name, model, runtime, folder),
        data_sha256=dataset.sha256,
        base=source.sha256 if source and config.adapter["name"] != "none" else None,
    )
    watch(trainer)
    keep_balance(trainer)
    seed_everything(config.seed, runtime.rank)
    return trainer


def build_dry_run(
    config: RunConfig,
    dataset: Dataset,
    runtime: Runtime,
    source: Source | None,
    teacher: Teacher | None,
) -> tuple[DryRun, Report | None]:
    """Model, task and batches, to take a step that changes nothing; and the weights loaded."""
    facts = dataset.facts | dataset.encoding.runtime_facts | (teacher.facts if teacher else {})
    model, report = build_model(config, facts, source, teacher)
    task = build_component(TASKS, config.task, facts, config.data["name"])
    loader = build_loader(dataset, config.data, config.seed, config.trainer, runtime)
    names = (config.model["name"], config.task["name"], config.data["name"])
    return DryRun(model.to(runtime.device), task, loader, names), report


def build_model(
    config: RunConfig, facts: dict[str, Any], source: Source | None, teacher: Teacher | None
) -> tuple[nn.Module, Report | None]:
    """The model with the weights that it starts from, on the CPU; and what was loaded."""
    seed_everything(mix_seed(config.seed, INITIALISATION))
    with frozen_format(config.init, facts):
        model = build_component(MODELS, config.model, facts, config.data["name"])
    if teacher:
        keep_apart(model, teacher)
        if weights_sha256(teacher.model.state_dict()) != teacher.sha256:
            raise UserError(
                f"model={config.model['name']} changed the weights of its teacher when it was "
                f"built; let it initialise its own modules alone"
            )
    return model, initialise(model, config.init, config.adapter, source)


def build_loader(
    dataset: Dataset, data: Options, seed: int, options: TrainerConfig, runtime: Runtime
) -> Loader:
    """Batches of a dataset, as the groups `data` and `trainer` cut them."""
    size, workers = data["batch_size"], data["workers"]
    return Loader(
        dataset, size, seed, runtime, options.accumulate, workers,
        overfit=options.overfit, max_samples=options.max_samples,
    )  # fmt: skip


def initialise(
    model: nn.Module, init: InitConfig, adapter: Options, source: Source | None
) -> Report | None:
    """Fill a model with the weights to start from, and apply the adapter; what was loaded.

    Args:
        model: Changed in place.
        init: Where the weights come from, and what to leave out.
        adapter: The group's settings.
        source: The weights, or None to keep random ones.
    """
    fresh: list[str] = []
    report = None
    if source is not None:
        tensors = source.for_model(model.state_dict())
        tensors = with_layers(tensors, init.layers) if init.layers else tensors
        pack_frozen(model, init)
        report = load_weights(model, tensors, str(init.from_), init.skip, init.resize)
        fresh = report.skipped + report.resized
        fresh += [name for name in source.adapter or () if ".lora_" not in name]
        check_frozen(init, adapter["name"], fresh)
    ADAPTERS.build(adapter, model=model, fresh=fresh)
    if init.quantize:
        release_freed()
    if source is not None and source.adapter is not None:
        load_model(model, source.adapter, Path(str(init.adapter)))
    return report


def make_budget(options: TrainerConfig, loader: Loader) -> Budget:
    """Epochs to steps, here and nowhere else."""
    steps = options.max_steps or loader.steps(options.max_epochs or 1)
    return Budget(
        max_steps=steps,
        eval_steps=options.eval_steps or loader.steps(options.eval_epochs),
        log_steps=options.log_steps or log_interval(steps, options.max_minutes is not None),
        save_steps=options.save_steps,
    )


def make_run(
    output_dir: str, name: str, model: nn.Module, runtime: Runtime, folder: Path | None = None
) -> RunDirectory:
    """A new run directory, rank 0's for all; refuses a disk too small for the checkpoints.

    Args:
        output_dir, name: It goes to `<output_dir>/<name>`.
        model: Whose checkpoints have to fit.
        runtime: The ranks.
        folder: The directory itself; None for one named by date and time.
    """
    weights = sum(t.nbytes for t in trainable_state_dict(model).values())
    needed = 8 * weights + 2**20  # two full checkpoints (weights and optimizer), two of the best
    run: RunDirectory | UserError | None = None
    if runtime.main:
        try:
            run = RunDirectory.create(output_dir, name, needed, folder)
        except UserError as error:
            run = error
    run = runtime.first(run)
    if isinstance(run, UserError):
        raise run
    assert run is not None
    return run
