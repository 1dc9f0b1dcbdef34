"""Adapters that lie in run directories or in PEFT's folders: read, put on, changed for another."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from zoo.adapters.lora import detach, lora
from zoo.config import groups as configs
from zoo.config.run import complete
from zoo.errors import UserError
from zoo.runs.directory import RunDirectory
from zoo.training.checkpoint import Checkpointer, load_model
from zoo.weights.family import Family
from zoo.weights.peft import CONFIG, Adapter, read_peft
from zoo.weights.source import FAMILIES, open_source

if TYPE_CHECKING:
    from zoo.restore import Restored

Config = dict[str, Any]


def family_of(model: str, options: Config) -> Family | None:
    """The published family that can express a model, if one can.

    Args:
        model: Its name.
        options: Its options and the facts that it was built with.
    """
    known = {"vocab_size": 0, "dropout": 0.0, "class_names": (), "input_shape": (3,)} | options
    for family in FAMILIES:
        if family.model == model:
            try:
                family.config(known)
            except ValueError:
                continue
            return family
    return None


def read_adapter(path: str, base: str | None, model: str, options: Config) -> Adapter:
    """An adapter by its folder.

    Args:
        path: A run directory, or a folder of PEFT's.
        base: Identity of the weights that it is to be put on, where it is known.
        model: The model's name.
        options: Its options and the facts that it was built with.

    Raises:
        UserError: Nothing there, no adapter, one of other weights.
    """
    folder = Path(path).expanduser()
    if (folder / CONFIG).is_file():
        return read_peft(folder, family_of(model, options), options)
    run = RunDirectory.open(folder, "adapter")
    settings = complete(configs.read_yaml(run.path / "config.yaml"))["adapter"]
    if settings["name"] != "lora":
        raise UserError(f"{path}: expected a run with adapter=lora, got adapter={settings['name']}")
    saved = Checkpointer(run.checkpoints).load("best", print)
    saved = saved or Checkpointer(run.checkpoints).load("last", print)
    if saved is None:
        raise UserError(f"{path} holds no checkpoint; the run did not get that far")
    if base is not None and (own := saved.state.get("base")) != base:
        raise UserError(
            f"{path} holds an adapter of other weights (SHA-256 {str(own)[:12]}) than these "
            f"({base[:12]})"
        )
    tensors = saved.tensors.get("ema") or saved.tensors["model"]
    return Adapter({k: v for k, v in settings.items() if k != "name"}, tensors)


def read_adapters(restored: "Restored", paths: list[str]) -> dict[str, Adapter | None]:
    """Adapters for a run's weights, all read before the first is used; `none` is none.

    Raises:
        UserError: As `read_adapter`.
    """
    if not paths:
        return {}
    settings = restored.settings
    own = settings["init"]["from"] if settings["adapter"]["name"] == "lora" else restored.run.path
    base, name = open_source(str(own)).sha256, settings["model"]["name"]
    options = restored.facts | settings["model"]
    return {p: None if p == "none" else read_adapter(p, base, name, options) for p in paths}


def each_adapter(model: nn.Module, adapters: dict[str, Adapter | None]) -> Iterator[str]:
    """Put one after another on; says which is on. Without any, the model stays as it is ("")."""
    if not adapters:
        yield ""
    for name, adapter in adapters.items():
        put_on(model, adapter, name)
        yield name


def put_on(model: nn.Module, adapter: Adapter | None, where: str) -> None:
    """Take a model's adapter off, and put another on, or none.

    Raises:
        UserError: It does not fit the model.
    """
    detach(model)
    if adapter is not None:
        fresh = [name for name in adapter.tensors if ".lora_" not in name]
        options = {k: v for k, v in adapter.options.items() if k != "name"}
        lora(model, fresh=fresh, **options)
        load_model(model, adapter.tensors, Path(where))
        model.eval()
