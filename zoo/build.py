"""Config to trainer: the only file that sees everything."""

import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

import torch

from zoo.config import groups as configs
from zoo.data.dataset import Dataset
from zoo.data.images.augment import Augment
from zoo.data.splits import Split
from zoo.data.text.encoding import TextForm
from zoo.errors import MissingFact, UserError
from zoo.optim.rates import build_optimizer, check_rates
from zoo.registry import ADAPTERS, DATASETS, MODELS, OPTIMIZERS, SCHEDULES, TASKS, Registry
from zoo.runs.directory import RunDirectory
from zoo.schema import bind
from zoo.training import finish
from zoo.training.budget import Budget
from zoo.training.checkpoint import load_model, trainable_state_dict
from zoo.training.config import TrainerConfig
from zoo.training.console import Console
from zoo.training.loader import Loader
from zoo.training.precision import Precision, choose_precision
from zoo.training.runtime import Runtime, mix_seed, seed_everything
from zoo.training.step import prepare_task
from zoo.training.trainer import Trainer
from zoo.weights.load import Report, load_weights
from zoo.weights.source import Source

Config = dict[str, Any]
INITIALISATION = 1  # keeps the seed of the weights apart from that of dropout
SPLIT_KEYS = ("val_fraction", "test_fraction", "split_seed", "folds", "fold")
FORM_KEYS = ("tokenizer", "vocab_size", "min_count", "mask_token")


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
                f"plugins: cannot import '{name}' ({error}); is it in this folder or on PYTHONPATH?"
            ) from None


def trainer_config(settings: Config) -> TrainerConfig:
    """The typed trainer settings."""
    return TrainerConfig(**bind(TrainerConfig, settings["trainer"], {}, "trainer", "default"))


def check_options(settings: Config) -> None:
    """Hold model, task, optimizer and schedule to their signatures before any data is read."""
    groups: dict[str, Registry] = {
        "model": MODELS,
        "task": TASKS,
        "adapter": ADAPTERS,
        "optim": OPTIMIZERS,
        "schedule": SCHEDULES,
    }
    for group, registry in groups.items():
        with contextlib.suppress(MissingFact):
            registry.arguments(settings[group])
    SCHEDULES.build(settings["schedule"])
    check_rates(settings["optim"])
    adapter = settings["adapter"]["name"]
    if settings["init"]["adapter"] and adapter != "lora":
        raise UserError(f"init.adapter is for adapter=lora, got adapter={adapter}")
    if adapter != "none" and not settings["init"]["from"]:
        raise UserError(
            f"adapter={adapter} changes trained weights, and there are none: set init.from=<a run, "
            f"or published weights>"
        )
    for name, text in settings["expect"].items():
        finish.parse_expectation(name, text)
    batch_size = settings["data"].get("batch_size")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UserError(f"data.batch_size: got {batch_size}, expected a whole number above 0")
    workers = settings["data"].get("workers")
    if not isinstance(workers, int) or workers < 0:
        raise UserError(f"data.workers: got {workers}, expected a whole number, 0 or more")


def build_dataset(data: Config, encoding: Config | None = None, tokenizer: Any = None) -> Dataset:
    """The dataset that `data` names.

    Args:
        data: The group's settings.
        encoding: What a run fitted on its training rows, to be used instead of fitting anew.
        tokenizer: To be used instead of training one, of the weights that training starts from.
    """
    apart = (*SPLIT_KEYS, *FORM_KEYS, "batch_size", "augment")
    options = {k: v for k, v in data.items() if k not in apart}
    workers = options.pop("workers", 0)
    split = Split(**{key: data[key] for key in SPLIT_KEYS if key in data})
    augment = None
    if "augment" in data:
        augment = Augment(**bind(Augment, data["augment"], {}, "data.augment", data["name"]))
    facts = {"split": split, "augment": augment, "encoding": encoding, "workers": workers}
    if "tokenizer" in data:
        asked = {key: data[key] for key in FORM_KEYS if key in data}
        facts["form"] = TextForm(
            **bind(TextForm, asked, {"given": tokenizer}, "data", data["name"])
        )
    return DATASETS.build(options, **facts)


def live_facts(encoding: Any) -> Config:
    """Facts that are objects, a tokenizer say: not in dataset.json, rebuilt with the encoding."""
    return getattr(encoding, "live_facts", {})


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
    source: Source | None = None,
    place: Path | None = None,
) -> Trainer:
    """Everything that a run consists of; makes the run directory last, when all else fits.

    Args:
        settings: The checked config.
        options: Its trainer group.
        dataset: What to train on.
        runtime: Device and ranks.
        run: The directory to go on in, or None for a new one.
        source: Weights to start from, or None for random ones.
        place: Where the new directory is to be; None for one after the date and time.
    """
    seed_everything(mix_seed(settings["seed"], INITIALISATION))
    facts = dataset.facts | live_facts(dataset.encoding)
    model = build_part(MODELS, settings, facts)
    report = initialise(model, settings, source)
    model = model.to(runtime.device)
    task = build_part(TASKS, settings, facts)
    loader = Loader(
        dataset,
        settings["data"]["batch_size"],
        settings["seed"],
        runtime,
        options.accumulate,
        settings["data"]["workers"],
        options.overfit,
    )
    budget = make_budget(options, loader)
    batch = next(loader.training(0, 1))[0]
    try_out(model, task, batch, settings)
    name, reason = choose_precision(
        options.precision, model, task, batch, runtime, options.deterministic
    )
    prepare_task(task, options.accumulate, runtime.ranks)
    console = Console(runtime.main)
    console.precision_reason = reason
    console.weights = report
    trainer = Trainer(
        model=model,
        task=task,
        loader=loader,
        optimizer=build_optimizer(settings["optim"], model),
        schedule=SCHEDULES.build(settings["schedule"]),
        config=options,
        budget=budget,
        runtime=runtime,
        precision=Precision(name, runtime.device),
        console=console,
        run=run or make_run(settings, model, runtime, place),
        data_sha256=dataset.sha256,
        base=base_of(settings, source),
    )
    seed_everything(settings["seed"], runtime.rank)
    return trainer


def initialise(model: torch.nn.Module, settings: Config, source: Source | None) -> Report | None:
    """Fill a model with the weights to start from, and put the adapter on; what was loaded."""
    fresh: list[str] = []
    report = None
    if source is not None:
        init = settings["init"]
        report = load_weights(model, source.tensors, init["from"], init["skip"], init["resize"])
        fresh = report.skipped + report.resized
    ADAPTERS.build(settings["adapter"], model=model, fresh=fresh)
    if source is not None and source.adapter is not None:
        load_model(model, source.adapter, Path(settings["init"]["adapter"]))
    return report


def base_of(settings: Config, source: Source | None) -> str | None:
    """The identity of the weights that an adapter belongs to."""
    return source.sha256 if source and settings["adapter"]["name"] != "none" else None


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


def make_budget(options: TrainerConfig, loader: Loader) -> Budget:
    """Epochs to steps, here and nowhere else."""
    steps = options.max_steps or loader.steps(options.max_epochs or 1)
    return Budget(
        max_steps=steps,
        eval_steps=options.eval_steps or loader.steps(options.eval_epochs),
        log_steps=options.log_steps or max(min(50, steps // 4), steps // 200, 1),
        save_steps=options.save_steps,
    )


def make_run(
    settings: Config, model: torch.nn.Module, runtime: Runtime, place: Path | None = None
) -> RunDirectory:
    """A new run directory, rank 0's for all; refuses a disk too small for the checkpoints."""
    weights = sum(t.nbytes for t in trainable_state_dict(model).values())
    needed = 8 * weights + 2**20  # two full checkpoints (weights and optimizer), two of the best
    made: RunDirectory | UserError | None = None
    if runtime.main:
        try:
            made = RunDirectory.create(settings["output_dir"], settings["name"], needed, place)
        except UserError as error:
            made = error
    made = runtime.first(made)
    if isinstance(made, UserError):
        raise made
    assert made is not None
    return made
