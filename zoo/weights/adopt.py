"""A config as `init.from` changes it: what the weights decide, but for what the user typed."""

from collections.abc import Iterable
from typing import Any

from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.schema import parameters
from zoo.weights.source import Source

Config = dict[str, Any]


def adopt(settings: Config, source: Source, typed: Iterable[str]) -> Config:
    """The model's options and the tokenizer, as the weights need them.

    Args:
        settings: The checked config.
        source: The weights.
        typed: Keys of the command line (`model.width`), which win.

    Raises:
        UserError: Weights of another model; blocks longer than the weights' positions.
    """
    typed, name = set(typed), settings["model"]["name"]
    if source.model != name:
        raise UserError(
            f"init.from={settings['init']['from']} holds weights of model={source.model}, and the "
            f"run trains model={name}; take model={source.model}, or other weights"
        )
    known = parameters(MODELS[name].builder)
    options = {k: v for k, v in source.settings.items() if k in known and f"model.{k}" not in typed}
    _check_positions(settings, options)
    data = dict(settings["data"])
    if source.tokenizer is not None and "tokenizer" in data and "data.tokenizer" not in typed:
        data |= {"tokenizer": source.tokenizer.kind, "vocab_size": None}
    return {**settings, "model": settings["model"] | options, "data": data}


def given_tokenizer(settings: Config, source: Source, typed: Iterable[str]) -> Any:
    """The weights' tokenizer, where the data is text and the user asked for no other."""
    wanted = "tokenizer" in settings["data"] and "data.tokenizer" not in set(typed)
    return source.tokenizer if wanted else None


def _check_positions(settings: Config, options: Config) -> None:
    asked, there = settings["data"].get("block_size"), options.get("block_size")
    if isinstance(asked, int) and isinstance(there, int):
        if options.get("positions") != "learned" or "position" in settings["init"]["resize"]:
            options["block_size"] = max(asked, there)
        elif asked > there:
            raise UserError(
                f"data.block_size={asked}: the weights of init.from know {there} positions; "
                f"lower it, or ask for more, which start anew, with init.resize=[position]"
            )
