"""The number format of a run: its checkpoint's on resuming, one for all trials of a sweep."""

from dataclasses import replace
from typing import cast

from zoo.build import build_dry_run
from zoo.config.run import RunConfig
from zoo.errors import UserError
from zoo.runs.directory import RunDirectory
from zoo.start import find_data, find_start
from zoo.training.collectives import main_first
from zoo.training.config import PrecisionName
from zoo.training.precision import asks_for_products
from zoo.training.products import Products
from zoo.training.runtime import Runtime
from zoo.training.state import saved_precision

First = tuple[RunConfig, list[str]]  # config and overrides of a sweep's first trial


def with_precision(config: RunConfig, name: str) -> RunConfig:
    """The config with the precision that is used, in place of `auto`."""
    trainer = replace(config.trainer, precision=cast(PrecisionName, name))
    return replace(config, trainer=trainer)


def of_resumed(config: RunConfig, run: RunDirectory) -> RunConfig:
    """The config of a resumed run with its checkpoint's precision, which older runs did not record
    where they had chosen it."""
    name = saved_precision(run.checkpoints)
    return with_precision(config, name) if name else config


def products_of(first: First | None, config: RunConfig, runtime: Runtime) -> Products | None:
    """The matrix products of a sweep's first trial, where `auto` goes by them; none at all where it
    cannot be built. None where they are those of this config."""
    if first is None or config.trainer.precision != "auto" or not asks_for_products(runtime):
        return None
    if _computes_alike(first[0], config):
        return None
    try:
        with main_first(runtime):
            start, dataset = find_data(find_start(*first, None, runtime), first[1])
        dry_run, _ = build_dry_run(start.config, dataset, runtime, start.source, start.teacher)
        return dry_run.count()
    except UserError:
        return Products()


def _computes_alike(one: RunConfig, other: RunConfig) -> bool:
    """Whether two configs have the same matrix products in a training step."""
    groups = [
        (c.model, c.task, c.adapter, c.init, c.teacher, c.trainer.accumulate, c.trainer.devices)
        for c in (one, other)
    ]
    data = [{k: v for k, v in c.data.items() if k != "split_seed"} for c in (one, other)]
    return groups[0] == groups[1] and data[0] == data[1]
