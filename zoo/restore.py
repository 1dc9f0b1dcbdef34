"""A finished (or stopped) run, back in memory: from its own folder alone, running none of its code.

The config names a registered model and task, dataset.json holds facts and encoding, a checkpoint
tensors. Nothing is unpickled; a module that the run names is imported if the command names it too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.batch import Batch
from zoo.build import initialise
from zoo.config.run import Options, RunConfig, TeacherConfig
from zoo.config.saved import read_config
from zoo.data.encoding import Encoding, load_encoding
from zoo.data.inputs import read_inputs
from zoo.errors import UserError, unknown_name
from zoo.files import user_path
from zoo.importing import import_plugins
from zoo.registry import MODELS, TASKS, Registry
from zoo.runs.directory import RunDirectory
from zoo.runs.find import newest_done
from zoo.runs.result import read_result
from zoo.schema import matches_type, parameters, type_mismatch
from zoo.tasks.base import Task
from zoo.teacher import Teacher, check_identity, keep_apart, takes_teacher
from zoo.training.checkpoint import NAME, Checkpoint, Checkpointer, Damaged, load_model, read
from zoo.training.monitor import set_monitor
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, choose_device
from zoo.training.state import check_base
from zoo.weights.files import weights_sha256
from zoo.weights.frozen import frozen_format
from zoo.weights.source import Source, open_source

Warn = Callable[[str], None]
DAMAGED = "the file is damaged; restore it from a copy, or train again"


@dataclass
class Restored:
    """A restored run.

    Attributes:
        run: Its folder.
        config: Its config.
        facts: Facts of its data.
        encoding: How its data became model input, as fitted on the training rows.
        model: With the checkpoint's weights (averaged ones where EMA was on), in evaluation mode.
        task: The objective that it was trained for.
        precision: The number format that it was trained in, where this device has it.
        runtime: The device of the model.
        checkpoint: The name of the checkpoint's folder.
        step: Optimizer steps behind these weights.
        data_sha256: Of the data that it was trained on.
    """

    run: RunDirectory
    config: RunConfig
    facts: dict[str, Any]
    encoding: Encoding
    model: nn.Module
    task: Task
    precision: Precision
    runtime: Runtime
    checkpoint: str
    step: int
    data_sha256: str

    def read(self, inputs: Sequence[Any]) -> tuple[list[str], Batch, list[str]]:
        """As `zoo.data.inputs.read_inputs`."""
        return read_inputs(self.encoding, inputs)


def restore(
    run_path: str | Path,
    checkpoint: str = "best",
    device: str = "auto",
    plugins: Sequence[str] = (),
    warn: Warn = print,
    base: str = "",
) -> Restored:
    """Rebuild a run's model and task; its data is not needed.

    Args:
        run_path: A run directory.
        checkpoint: `best`, `last`, a step, or the name of a checkpoint's folder.
        device: As `trainer.device`; auto takes the run's own where this machine has it.
        plugins: Modules to import first; those in the run's own config are not.
        warn: Called with warnings, such as a damaged checkpoint that is skipped.
        base: Where the weights are that the run's adapter belongs to, if they have moved.

    Raises:
        UserError: No run, no such checkpoint, weights that do not fit, an unknown model.
    """
    run = RunDirectory.open(run_path)
    config = _with_base(read_config(run.path), base)
    online = bool(base)  # typed
    import_plugins(plugins)
    dataset = run.read_dataset()
    facts, encoding = dataset["facts"], load_encoding(dataset["encoding"], config.plugins)
    features = getattr(encoding, "feature_names", None)
    if facts.get("feature_names", features) != features:  # older runs lack it
        raise UserError(f"{run.path / 'dataset.json'}: facts and encoding differ; {DAMAGED}")
    runtime = Runtime(_device(device, config.trainer.device))
    teacher = _teacher_of(config, dataset, runtime, warn)
    known = facts | encoding.runtime_facts | (teacher.facts if teacher else {})
    model, saved = _load(run, config, known, teacher, checkpoint, runtime, warn, online)
    task = _build(TASKS, config.task, config.plugins, known)
    set_monitor(task, config.task, run.monitor())
    return Restored(
        run=run,
        config=config,
        facts=facts,
        encoding=encoding,
        model=model,
        task=task,
        precision=_precision(run, config.trainer.precision, saved, runtime, warn),
        runtime=runtime,
        checkpoint=saved.path.name,
        step=saved.step,
        data_sha256=dataset["sha256"],
    )


def _with_base(config: RunConfig, base: str) -> RunConfig:
    if not base:
        return config
    if config.adapter["name"] == "none":
        raise UserError(f"base={base} is for runs with an adapter, and this one has none")
    return replace(config, init=replace(config.init, from_=base))


def _open_base(location: str, online: bool) -> Source:
    """The weights that an adapter belongs to; a UserError where they are not there."""
    try:
        return open_source(location, online)
    except UserError as error:
        if user_path(location).exists():
            raise
        raise UserError(
            f"the weights that the run's adapter belongs to are not there ({error}); if they have "
            f"moved, add base=<their folder>"
        ) from None


def load_teacher(teacher: TeacherConfig, runtime: Runtime, warn: Warn = print) -> Teacher:
    """The network that `teacher.from` names: frozen, in evaluation mode, on the device.

    Raises:
        UserError: No run, no such checkpoint, weights that do not fit, an unknown model.
    """
    path = user_path(str(teacher.from_))
    run = RunDirectory.open(newest_done(path) or path, "teacher.from")
    config, dataset = read_config(run.path), run.read_dataset()
    _check_known(MODELS, config.model, config.plugins)
    holds = takes_teacher(MODELS, config.model)  # a task's teacher is no longer needed
    nested = _teacher_of(config, dataset, runtime, warn) if holds else None
    encoding = load_encoding(dataset["encoding"], config.plugins)
    facts = dataset["facts"] | encoding.runtime_facts | (nested.facts if nested else {})
    model, saved = _load(run, config, facts, nested, str(teacher.checkpoint), runtime, warn)
    return Teacher(
        model=model.requires_grad_(False),
        run=str(run.path.resolve()),
        checkpoint=saved.path.name,
        step=saved.step,
        sha256=weights_sha256(model.state_dict()),
        data_facts=dataset["facts"],
        data=config.data,
        tokenizer=encoding.tokenizer,
    )


def _teacher_of(
    config: RunConfig, dataset: dict[str, Any], runtime: Runtime, warn: Warn
) -> Teacher | None:
    """The teacher that a run was trained with, if it had one."""
    if config.teacher.from_ is None:
        return None
    teacher = load_teacher(config.teacher, runtime, warn)
    check_identity(dataset.get("teacher"), teacher)
    return teacher


def _load(
    run: RunDirectory,
    config: RunConfig,
    facts: dict[str, Any],
    teacher: Teacher | None,
    checkpoint: str,
    runtime: Runtime,
    warn: Warn,
    online: bool = False,
) -> tuple[nn.Module, Checkpoint]:
    """A run's model with a checkpoint's weights, in evaluation mode; and that checkpoint."""
    with frozen_format(config.init):
        model = _build(MODELS, config.model, config.plugins, facts)
    if teacher:
        keep_apart(model, teacher)
    saved = find_checkpoint(run, checkpoint, warn)
    if config.adapter["name"] != "none":
        base = _open_base(str(config.init.from_), online)
        initialise(model, config.init, config.adapter, base)
        check_base(base.sha256, saved)
    model = model.to(runtime.device)
    load_model(model, saved.tensors.get("ema") or saved.tensors.get("model", {}), saved.path)
    return model.eval(), saved


def _device(name: str, recorded: str) -> torch.device:
    if name != "auto":
        return choose_device(name)
    try:
        return choose_device(recorded)
    except UserError:  # the run's machine had what this one lacks
        return choose_device("auto")


def _build(
    registry: Registry, options: Options, plugins: Sequence[str], facts: dict[str, Any]
) -> Any:
    """A model or task, of which `_check_known` holds."""
    _check_known(registry, options, plugins)
    schema = parameters(registry[options["name"]].builder)
    for fact in facts.keys() & schema.keys() - options.keys():
        if not matches_type(facts[fact], schema[fact].annotation):
            problem = type_mismatch(fact, facts[fact], schema[fact].annotation)
            raise UserError(f"the facts in dataset.json: {problem}; {DAMAGED}")
    return registry.build(options, **facts)


def _check_known(registry: Registry, options: Options, plugins: Sequence[str]) -> None:
    """Check the name of a model or task; if it is unknown, perhaps a plugin registers it.

    Raises:
        UserError: It is unknown, and the run has plugins.
    """
    if plugins and options.get("name") not in registry.names():
        raise UserError(
            f"unknown {registry.kind} '{options.get('name')}'; the run was trained with plugins of "
            f"its own, which are imported only on request: if you trust them, add "
            f"plugins=[{','.join(plugins)}]"
        )


def find_checkpoint(run: RunDirectory, checkpoint: str, warn: Warn) -> Checkpoint:
    """A verified checkpoint of a run, by kind, step or name; damaged ones are skipped.

    Raises:
        UserError: There is no such checkpoint, or none that verifies.
    """
    folder = run.checkpoints
    names = sorted(p.name for p in folder.glob("*") if NAME.fullmatch(p.name))
    if not names:
        raise UserError(f"{run.path} holds no checkpoint; the run did not get that far")
    if checkpoint in ("best", "last"):
        saved = Checkpointer(folder).load(checkpoint, warn)
        if saved is None:
            alternative = "last" if checkpoint == "best" else "best"
            raise UserError(
                f"{run.path} has no checkpoint '{checkpoint}' yet; take checkpoint={alternative} "
                f"(there are: {', '.join(names)})"
            )
        return saved
    step = int(checkpoint) if checkpoint.isdecimal() else None
    fitting = [n for n in names if n == checkpoint or int(n.split("-")[1]) == step]
    if not fitting:
        raise UserError(unknown_name("checkpoint", checkpoint, ["best", "last", *names]))
    reasons = []
    for name in fitting:
        try:
            return read(folder / name)
        except Damaged as error:
            reasons.append(f"{name}: {error}")
    raise UserError(
        f"the checkpoint is damaged ({'; '.join(reasons)}); take checkpoint=best or last, which "
        f"fall back to one that verifies"
    )


def _precision(
    run: RunDirectory, name: str, saved: Checkpoint, runtime: Runtime, warn: Warn
) -> Precision:
    """The number format of the run, so that its metrics are reproduced."""
    if name == "auto" and (run.path / "result.json").is_file():
        name = read_result(run).get("precision", name)
    if name == "auto":
        name = saved.state.get("precision", {}).get("name", "fp32")
    kind = runtime.device.type
    lacks_bf16 = kind == "cuda" and not torch.cuda.is_bf16_supported()
    if (name == "fp16" and kind == "cpu") or (name == "bf16" and lacks_bf16):
        warn(f"the run computed in {name}, which {runtime.device} lacks; fp32 is used")
        name = "fp32"
    return Precision(name, runtime.device)
