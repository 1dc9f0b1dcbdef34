"""A finished (or stopped) run, back in memory: from its own folder alone, running none of its code.

The config names a registered model and task, dataset.json holds facts and encoding, a checkpoint
holds tensors. Nothing is unpickled, and no module that the run names is imported unless the
command line names it too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zoo.build import import_plugins, initialise, live_facts
from zoo.config import groups as configs
from zoo.config.run import complete
from zoo.data.dataset import Encoding
from zoo.data.encoding import load_encoding
from zoo.errors import UserError, unknown
from zoo.registry import MODELS, TASKS, Registry
from zoo.runs.directory import RunDirectory
from zoo.tasks.base import Task
from zoo.training.checkpoint import NAME, Checkpoint, Checkpointer, Damaged, load_model, read
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, choose_device
from zoo.training.state import check_base
from zoo.weights.source import open_source

Warn = Callable[[str], None]


@dataclass
class Restored:
    """What a run left behind.

    Attributes:
        run: Its folder.
        settings: Its config.
        facts: What its data stated.
        encoding: How its data became model input, as fitted on the training rows.
        model: With the checkpoint's weights (averaged ones where EMA was on), evaluating.
        task: What it was trained for.
        precision: The number format that it was trained in, where this device has it.
        runtime: Where the model lies.
        checkpoint: The name of the checkpoint's folder.
        step: Optimizer steps behind these weights.
        data_sha256: Of the data that it was trained on.
    """

    run: RunDirectory
    settings: dict[str, Any]
    facts: dict[str, Any]
    encoding: Encoding
    model: nn.Module
    task: Task
    precision: Precision
    runtime: Runtime
    checkpoint: str
    step: int
    data_sha256: str


def restore(
    run_path: str | Path,
    checkpoint: str = "best",
    device: str = "auto",
    plugins: Sequence[str] = (),
    warn: Warn = print,
) -> Restored:
    """Rebuild a run's model and task; its data is not needed.

    Args:
        run_path: A run directory.
        checkpoint: `best`, `last`, a step, or the name of a checkpoint's folder.
        device: As `trainer.device`; auto takes the run's own where this machine has it.
        plugins: Modules to import first; those in the run's own config are not.
        warn: Told of a damaged checkpoint that was passed over, say.

    Raises:
        UserError: No run, no such checkpoint, weights that do not fit, an unknown model.
    """
    run = RunDirectory.open(run_path)
    settings = _settings(run)
    import_plugins({"plugins": list(plugins)})
    said = run.read_json("dataset.json")
    facts, encoding = said["facts"], load_encoding(said["encoding"])
    runtime = Runtime(_device(device, settings["trainer"].get("device", "auto")))
    live = facts | live_facts(encoding)
    model = _build(MODELS, settings, live)
    saved = find_checkpoint(run, checkpoint, warn)
    if settings["adapter"]["name"] != "none":
        source = open_source(settings["init"]["from"])
        initialise(model, settings, source)
        check_base(source.sha256, saved)
    model = model.to(runtime.device)
    load_model(model, saved.tensors.get("ema") or saved.tensors.get("model", {}), saved.path)
    return Restored(
        run=run,
        settings=settings,
        facts=facts,
        encoding=encoding,
        model=model.eval(),
        task=_build(TASKS, settings, live),
        precision=_precision(run, settings, saved, runtime, warn),
        runtime=runtime,
        checkpoint=saved.path.name,
        step=saved.step,
        data_sha256=said["sha256"],
    )


def _settings(run: RunDirectory) -> dict[str, Any]:
    settings = complete(configs.read_yaml(run.path / "config.yaml"))
    lacking = [g for g in configs.GROUPS if not isinstance(settings.get(g), dict)]
    if lacking:
        raise UserError(
            f"{run.path / 'config.yaml'} says nothing of '{lacking[0]}'; expected the config that "
            f"train.py writes"
        )
    return settings


def _device(name: str, own: str) -> torch.device:
    if name != "auto":
        return choose_device(name)
    try:
        return choose_device(own)
    except UserError:  # the run's machine had what this one lacks
        return choose_device("auto")


def _build(registry: Registry, settings: dict[str, Any], facts: dict[str, Any]) -> Any:
    """A model or task; if its name is unknown, perhaps a plugin of the run's registers it."""
    config, plugins = settings[registry.kind], settings.get("plugins") or []
    if plugins and config.get("name") not in registry.names():
        listed = ",".join(map(str, plugins))
        raise UserError(
            f"unknown {registry.kind} '{config.get('name')}'; the run was trained with plugins of "
            f"its own, which are not imported unasked: if you trust them, add plugins=[{listed}]"
        )
    return registry.build(config, **facts)


def find_checkpoint(run: RunDirectory, wanted: str, warn: Warn) -> Checkpoint:
    """A verified checkpoint of a run, by kind, step or name; damaged ones are passed over.

    Raises:
        UserError: There is none such, or none that verifies.
    """
    folder = run.checkpoints
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    names = [name for name in names if NAME.fullmatch(name)]
    if not names:
        raise UserError(f"{run.path} holds no checkpoint; the run did not get that far")
    if wanted in ("best", "last"):
        found = Checkpointer(folder).load(wanted, warn)
        if found is None:
            other = "last" if wanted == "best" else "best"
            raise UserError(
                f"{run.path} has no checkpoint '{wanted}' yet; take checkpoint={other} "
                f"(there are: {', '.join(names)})"
            )
        return found
    step = int(wanted) if wanted.isdecimal() else None
    fitting = [n for n in names if n == wanted or int(n.split("-")[1]) == step]
    if not fitting:
        raise UserError(unknown("checkpoint", wanted, ["best", "last", *names]))
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
    run: RunDirectory,
    settings: dict[str, Any],
    saved: Checkpoint,
    runtime: Runtime,
    warn: Warn,
) -> Precision:
    """What the run computed in, so that its figures come out again."""
    name = settings["trainer"].get("precision", "auto")
    if name == "auto" and (run.path / "result.json").is_file():
        name = run.read_json("result.json").get("precision", name)
    if name == "auto":
        name = saved.state.get("precision", {}).get("name", "fp32")
    kind = runtime.device.type
    lacks_bf16 = kind == "cuda" and not torch.cuda.is_bf16_supported()
    if (name == "fp16" and kind == "cpu") or (name == "bf16" and lacks_bf16):
        warn(f"the run computed in {name}, which {runtime.device} lacks; fp32 is taken")
        name = "fp32"
    return Precision(name, runtime.device)
