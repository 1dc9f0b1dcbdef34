"""A config as `init.from` changes it: settings of the weights, except those that the user typed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.config.run import Options, RunConfig
from zoo.data.images.encoding import IMAGENET
from zoo.data.tokenizers.base import Tokenizer
from zoo.errors import UserError
from zoo.registry import MODELS
from zoo.schema import parameters
from zoo.weights.adapters import ANSWERS
from zoo.weights.layers import check_layers
from zoo.weights.load import matches
from zoo.weights.source import Source

HEADS = ("head", "fc")  # of our models
FAR = 0.5  # standard deviations between two means, from which a value means another thing


def merge_source_config(config: RunConfig, source: Source, typed: Iterable[str]) -> RunConfig:
    """The model's options and the tokenizer, as the weights need them.

    Args:
        config: The checked config.
        source: The weights.
        typed: Keys of the command line (`model.width`), which win.

    Raises:
        UserError: Weights of another model; blocks longer than the weights' positions; layers that
            they do not have; a head of theirs that would be lost.
    """
    typed, name = set(typed), config.model["name"]
    if source.model != name:
        raise UserError(
            f"init.from={config.init.from_} holds weights of model={source.model}, and the "
            f"run trains model={name}; take model={source.model}, or other weights"
        )
    takes = parameters(MODELS[name].builder)
    options = {
        k: _with_typed(k, v, config.model.get(k), typed)
        for k, v in source.settings.items()
        if k in takes and f"model.{k}" not in typed
    }
    if "heads" in options and options["heads"] is None:
        raise UserError(
            f"init.from={config.init.from_}: no config.json beside the weights tells the number of "
            f"attention heads of a model {options.get('width')} wide; set model.heads=..."
        )
    _check_head(config, source, typed)
    _check_positions(config.data.get("block_size"), options, config.init.resize)
    if config.init.layers:
        check_layers(config.init.layers, source.tensors, source.settings)
        options["depth"] = len(config.init.layers)
    data = dict(config.data)
    if source.tokenizer is not None and "tokenizer" in data and "data.tokenizer" not in typed:
        data |= {"tokenizer": source.tokenizer.kind, "vocab_size": None}
    return replace(config, model=config.model | options, data=data)


def _check_head(config: RunConfig, source: Source, typed: set[str]) -> None:
    """Refuse to tie the head to the embedding where the weights have both."""
    asked = "model.tie" in typed and config.model.get("tie")
    if asked and source.settings.get("tie") is False and "head" not in config.init.skip:
        raise UserError(
            f"model.tie=true: the weights of init.from={config.init.from_} have a head of their "
            f"own, which would be lost; leave it out, or add init.skip=[head]"
        )


def _with_typed(name: str, value: Any, own: Any, typed: set[str]) -> Any:
    """An option of the weights, with the parts of it that were typed (`model.mixture.balance`)."""
    named = own.items() if isinstance(own, dict) else ()
    parts = {k: v for k, v in named if f"model.{name}.{k}" in typed}
    return {**(value or {}), **parts} if parts else value


def given_tokenizer(data: Options, source: Source, typed: Iterable[str]) -> Tokenizer | None:
    """The weights' tokenizer, where the data is text and the user set no other."""
    adopts = "tokenizer" in data and "data.tokenizer" not in set(typed)
    return source.tokenizer if adopts else None


def tokenizer_notes(
    data: Options, given: Tokenizer | None, typed: Iterable[str]
) -> tuple[str, ...]:
    """A note on typed settings of a vocabulary that the weights' tokenizer stands in for."""
    if given is None:
        return ()
    others = {"vocab_size": given.vocab_size, "min_count": 1}
    lost = [f"data.{n}={data[n]}" for n, own in others.items()
            if f"data.{n}" in set(typed) and data.get(n) != own]  # fmt: skip
    why = "the tokenizer of the weights is taken as it is; data.tokenizer= trains a new one"
    return (f"{', '.join(lost)} has no effect: {why}",) if lost else ()


def pixel_notes(data: Options, source: Source) -> tuple[str, ...]:
    """A note where the data normalises images otherwise than the weights expect."""
    if source.pixels is None or data.get("normalize") == "imagenet" == _name(source.pixels):
        return ()
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in source.pixels)
    known = "normalize" in data and _name(source.pixels) == "imagenet"
    remedy = "set data.normalize=imagenet" if known else "the data normalises them by its own"
    return (f"the weights expect images of mean {mean} and standard deviation {std}; {remedy}",)


def _name(pixels: tuple[list[float], list[float]]) -> str | None:
    """The value of `data.normalize` that means these statistics."""
    rounded = tuple(tuple(round(value, 3) for value in values) for values in pixels)
    return "imagenet" if rounded == IMAGENET else None


def data_notes(facts: Mapping[str, Any], source: Source, skip: Sequence[str]) -> list[str]:
    """Notes where our own run's weights know the columns or the classes of other data: by number.

    Args:
        facts: Of the data here.
        source: The weights.
        skip: `init.skip`.
    """
    notes, there = [], source.facts
    columns, ours = there.get("feature_names"), facts.get("feature_names")
    if columns and ours and len(columns) == len(ours):
        notes += _about_columns(columns, ours, there["feature_scales"], facts["feature_scales"])
    for kind in ANSWERS:
        names, own = there.get(kind), facts.get(kind)
        if not names or not own or len(names) != len(own) or names == own:
            continue
        head = next((part for part in HEADS if f"{part}.weight" in source.tensors), "head")
        if not matches(f"{head}.weight", skip):
            k, theirs, here = _first_other(names, own)
            notes.append(
                f"output {k} of the weights of init.from= means '{theirs}', here '{here}'; "
                f"init.skip=[{head}] begins with new ones"
            )
    return notes


def _about_columns(
    there: list[str], here: list[str], scales: list[list[float]], own: list[list[float]]
) -> list[str]:
    if there != here:
        k, theirs, ours = _first_other(there, here)
        return [
            f"feature {k} of the weights of init.from= is '{theirs}', here '{ours}': they know "
            f"features by number; data.columns=[...] gives the columns in their order"
        ]
    for name, (mean, std), (our_mean, our_std) in zip(here, scales, own, strict=True):
        if abs(our_mean - mean) > FAR * std or not 0.5 <= our_std / std <= 2:
            return [
                f"'{name}' has the mean {our_mean:.4g} and standard deviation {our_std:.4g} here, "
                f"{mean:.4g} and {std:.4g} in the run of init.from=: to its weights {our_mean:.4g} "
                f"is now what {mean:.4g} was"
            ]
    return []


def _first_other(there: list[str], here: list[str]) -> tuple[int, str, str]:
    """Number, from 1, and both names where two lists first differ."""
    pairs = zip(there, here, strict=True)
    return next((k, a, b) for k, (a, b) in enumerate(pairs, start=1) if a != b)


def _check_positions(length: int | None, options: Options, resize: list[str]) -> None:
    """Check that blocks fit the positions of the weights, or add positions where allowed."""
    available = options.get("block_size")
    if isinstance(length, int) and isinstance(available, int):
        if options.get("positions") != "learned" or "position" in resize:
            options["block_size"] = max(length, available)
        elif length > available:
            raise UserError(
                f"data.block_size={length}: the weights of init.from have {available} positions; "
                f"lower it, or add positions, randomly initialised, with init.resize=[position]"
            )
