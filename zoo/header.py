"""The first lines of a run: what is trained on what, with what, how long, and where it is kept."""

from typing import Any

import torch

from zoo.config.run import RunConfig
from zoo.data.contents import describe
from zoo.data.dataset import Dataset
from zoo.start import Start
from zoo.training.finish import count_parameters
from zoo.training.runtime import Runtime
from zoo.training.trainer import Trainer

LANGUAGE_TASKS = ("causal_lm", "masked_lm", "seq2seq")
# A model trained from random weights does best with about 20 tokens a parameter (Hoffmann et al.,
# 2022, arXiv:2203.15556). With less than one token for a hundred parameters, 2,000 times fewer, it
# can learn its text by heart.
PARAMETERS_PER_TOKEN = 100


def print_header(trainer: Trainer, start: Start, dataset: Dataset) -> None:
    """Print the model, the data, the device and the budget, and how the data was understood."""
    console, config = trainer.console, start.config
    recipe = config.experiment or "none; the settings are the defaults of the chosen files"
    console.entry("run", str(trainer.run.path))
    console.entry("recipe", recipe)
    console.entry("model", f"{config.model['name']}, {_parameters(trainer)}")
    if console.weights is not None:
        console.entry("weights", str(config.init.from_))
        console.line(console.weights.table())
    if start.teacher:
        console.entry("teacher", f"{start.teacher.run}, {start.teacher.checkpoint}")
    console.entry("data", _data(dataset, str(config.data["name"])))
    console.entry("task", f"{config.task['name']}; the best {_best(trainer)} on val is kept")
    console.entry("device", _device(trainer.runtime))
    console.entry("precision", f"{trainer.precision.name} ({console.precision_reason})")
    console.entry("budget", _budget(trainer, config))
    if (limit := config.trainer.max_samples) in trainer.loader.sizes.values():
        console.entry("samples", f"only {limit:,} of each split are used (trainer.max_samples)")
    shown, further = describe(dataset.contents) if dataset.contents else ([], [])
    for line in shown:
        console.line(line)
    for line in further:
        console.log(line)
    notes = (*start.notes, *dataset.notes, *getattr(trainer.task, "notes", ()))
    for note in (*notes, *size_notes(trainer, config, dataset)):
        console.entry("note", note)
    console.line()


def size_notes(trainer: Trainer, config: RunConfig, dataset: Dataset) -> list[str]:
    """A remark on a language model that is far too large for its text, which it may learn by
    heart; none on weights that other text has trained."""
    tokens = getattr(dataset.splits["train"], "num_tokens", 0)
    if config.task["name"] not in LANGUAGE_TASKS or config.init.from_ or not tokens:
        return []
    ratio = sum(p.numel() for p in trainer.parameters) / tokens
    if ratio <= PARAMETERS_PER_TOKEN:
        return []
    return [f"{ratio:,.0f} parameters per training token: it may learn the text by heart"]


def _parameters(trainer: Trainer) -> str:
    """The number of parameters, and of trained ones if not all are."""
    total = count_parameters(trainer.model)
    trained = sum(p.numel() for p in trainer.parameters)
    note = f", {trained:,} trained ({trained / total:.2%})" if trained < total else ""
    return f"{total:,} parameters{note}"


def _data(dataset: Dataset, name: str) -> str:
    """`digits: 1,257 train, 180 val, 360 test; input 1x8x8, 10 classes`."""
    facts = dataset.facts
    sizes = ", ".join(f"{len(source):,} {split}" for split, source in dataset.splits.items())
    kinds = "labels" if "label_names" in facts else "classes"
    classes = f", {n} {kinds}" if (n := facts.get("num_classes")) else ""
    return f"{name}: {sizes}; input {_shape(facts)}{classes}"


def _shape(facts: dict[str, Any]) -> str:
    """One sample: `1x8x8` values, or `256 tokens, vocabulary 4,096`."""
    if "input_shape" in facts:
        return "x".join(map(str, facts["input_shape"]))
    if "input_width" in facts:
        return f"{facts['input_width']} values a step"
    length = facts.get("block_size") or facts.get("max_length")
    return f"{length} tokens, vocabulary {facts['vocab_size']:,}"


def _best(trainer: Trainer) -> str:
    """`accuracy`; `loss (lowest)` where less is better."""
    monitor = trainer.task.monitor
    return f"{monitor[1:]} (lowest)" if monitor.startswith("-") else monitor


def _device(runtime: Runtime) -> str:
    threads = torch.get_num_threads()
    ranks = f", {runtime.ranks} ranks" if runtime.ranks > 1 else ""
    return f"{runtime.device}, {threads} {'thread' if threads == 1 else 'threads'}{ranks}"


def _budget(trainer: Trainer, config: RunConfig) -> str:
    """`582 steps of 32 samples = 15 epochs; seed 0`, or `about 15`, as steps rarely divide it."""
    steps, minutes = trainer.budget.max_steps, config.trainer.max_minutes
    epochs = trainer.loader.epochs(steps)
    number = f"{epochs:,.0f}" if epochs >= 9.5 else f"{epochs:.2g}"
    exact = f"{epochs:.6g}" == number
    size = f"{steps:,} steps of {trainer.loader.batch_size:,} samples"
    limit = f", at most {minutes:g} minutes" if minutes else ""
    unit = "epoch" if number == "1" else "epochs"
    return f"{size} = {'' if exact else 'about '}{number} {unit}{limit}; seed {config.seed}"
