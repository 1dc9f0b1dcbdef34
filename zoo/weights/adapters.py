"""Adapters that lie in run directories or in PEFT's folders: read, apply, exchange."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import nn

from zoo.adapters.lora import detach, lora, lora_layers
from zoo.config.run import Options
from zoo.config.saved import read_config
from zoo.errors import UserError
from zoo.files import user_path
from zoo.runs.directory import RunDirectory
from zoo.runs.find import newest_done
from zoo.training.checkpoint import Checkpointer, load_model, trainable_state_dict
from zoo.weights.family import Family
from zoo.weights.peft import CONFIG, Adapter, read_peft
from zoo.weights.source import WRITTEN, open_source


def family_of(model: str, options: Options) -> Family | None:
    """The published family that can express a model, if one can.

    Args:
        model: Its name.
        options: Its options and the facts that it was built with.
    """
    for family in WRITTEN:
        if family.model == model and family.config and not family.misfits(options):
            return family
    return None


ANSWERS = ("class_names", "label_names", "tag_names")  # facts


def read_adapter(path: str, base: str | None, model: str, chosen: Options) -> Adapter:
    """An adapter by its folder.

    Args:
        path: A run directory, a folder of runs (the newest that is done), or a folder of PEFT's.
        base: Identity of the weights that it is to be put on, where it is known.
        model: The model's name.
        chosen: Its options and the facts that it was built with.

    Raises:
        UserError: Nothing there, no adapter, one of other weights.
    """
    folder = user_path(path)
    if (folder / CONFIG).is_file():
        return read_peft(folder, family_of(model, chosen), chosen)
    run = RunDirectory.open(newest_done(folder) or folder, "adapter")
    config = read_config(run.path)
    adapter = config.adapter
    if adapter["name"] != "lora":
        raise UserError(f"{path}: expected a run with adapter=lora, got adapter={adapter['name']}")
    saved = Checkpointer(run.checkpoints).load("best", print)
    saved = saved or Checkpointer(run.checkpoints).load("last", print)
    if saved is None:
        raise UserError(f"{path} holds no checkpoint; the run did not get that far")
    if base is not None and (recorded := saved.state.get("base")) != base:
        raise UserError(
            f"{path} holds an adapter of other weights (SHA-256 {str(recorded)[:12]}) than these "
            f"({base[:12]})"
        )
    tensors = saved.tensors.get("ema") or saved.tensors["model"]
    options = {k: v for k, v in adapter.items() if k != "name"}
    answers = answers_of(run.read_dataset()["facts"])
    return Adapter(options, tensors, quantize=config.init.quantize, answers=answers)


def answers_of(facts: Options) -> list[str] | None:
    """Names of the classes, labels or tags that data has."""
    return next((facts[name] for name in ANSWERS if name in facts), None)


def read_adapters(
    paths: Sequence[str], base: str, model: str, options: Options
) -> dict[str, Adapter | None]:
    """Adapters for the same weights, all read before the first is used; `none` is none.

    Args:
        paths: Run directories, or folders of PEFT's.
        base: The weights that they belong to, as the run's config names them.
        model: The model's name.
        options: Its options and the facts that it was built with.

    Raises:
        UserError: As `read_adapter`.
    """
    if not paths:
        return {}
    sha256 = open_source(base, online=False).sha256
    return {p: None if p == "none" else read_adapter(p, sha256, model, options) for p in paths}


def each_adapter(model: nn.Module, adapters: dict[str, Adapter | None]) -> Iterator[str]:
    """Apply one after another; yields its name. Without any, the model stays as it is ("").

    What one of them has trained whole (a head) is afterwards as it was before.
    """
    if not adapters:
        yield ""
    for name, adapter in adapters.items():
        detach(model)
        state = model.state_dict()
        before = {n: state[n].clone() for n in whole_tensors(adapter) if n in state}
        apply_adapter(model, adapter, name)
        yield name
        model.load_state_dict(before, strict=False)


def whole_tensors(adapter: Adapter | None) -> list[str]:
    """Names of what was trained whole, as a new head is."""
    return [name for name in adapter.tensors if ".lora_" not in name] if adapter else []


def check_answers(facts: Options, adapters: dict[str, Adapter]) -> None:
    """Check that adapters were trained to tell apart what a run does.

    Args:
        facts: Of the run.
        adapters: By their folders.

    Raises:
        UserError: Their answers would be given its names.
    """
    own = answers_of(facts)
    for path, adapter in adapters.items():
        if own and adapter.answers and adapter.answers != own:
            theirs, ours = (", ".join(names[:4]) for names in (adapter.answers, own))
            raise UserError(
                f"{path} was trained to tell apart {theirs}, and the run {ours}: its answers would "
                f"have wrong names; take run={path}"
            )


def check_exchange(model: nn.Module, facts: Options, adapters: dict[str, Adapter | None]) -> None:
    """Check that adapters fit a run, and replace all that it was trained in, with its own one.

    Args:
        model: Of the run.
        facts: Of its data.
        adapters: By their folders.

    Raises:
        UserError: They leave a part as it was trained, which the weights without it do not have;
            they have other classes.
    """
    check_answers(facts, {path: adapter for path, adapter in adapters.items() if adapter})
    if not lora_layers(model):
        return
    own = [name for name in trainable_state_dict(model) if ".lora_" not in name]
    for path, adapter in adapters.items():
        if left := set(own) - set(whole_tensors(adapter)):
            part = min(left)
            raise UserError(
                f"adapters={path}: the run has trained {part} whole, beside its adapter, and "
                f"{'its base' if adapter is None else path} has none; leave it out"
            )


def apply_adapter(model: nn.Module, adapter: Adapter | None, where: str) -> None:
    """Exchange a model's adapter for another, or none.

    Raises:
        UserError: It does not fit the model.
    """
    detach(model)
    if adapter is not None:
        fresh = whole_tensors(adapter)
        options = {k: v for k, v in adapter.options.items() if k != "name"}
        lora(model, fresh=fresh, **options)
        load_model(model, adapter.tensors, Path(where))
        model.eval()
