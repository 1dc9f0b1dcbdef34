"""Hydra's `-m`, by our own sweeper: what was typed, to members, to runs.

With another launcher (`hydra/launcher=submitit_slurm`) the members go to that one instead.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.run import RunConfig
from zoo.errors import UserError
from zoo.program import command_line
from zoo.sweep import launchers
from zoo.sweep.controller import Sweep
from zoo.sweep.fork_server import Nursery
from zoo.sweep.options import SweepOptions, read_options
from zoo.sweep.search import Search, SearchPlan
from zoo.sweep.store import Ledger
from zoo.sweep.trials import Member, checked, grid


def sweep(arguments: list[str], hydra_context: Any, task_function: Any, config: DictConfig) -> int:
    """Run every member of what was typed behind `-m`; the exit code.

    Args:
        arguments: Overrides, lists of values among them.
        hydra_context, task_function, config: Hydra's; `task_function.nursery` forks the members.

    Raises:
        UserError: A mistake in any member, before the first one runs.
    """
    if "RANK" in os.environ:
        raise UserError(
            "-m under torchrun: every rank would run every member; start the sweep without "
            "torchrun, with trainer.devices=2 for two processes a member"
        )
    options = read_options(OmegaConf.to_container(config.sweep))  # type: ignore[arg-type]
    launch = None
    if launchers.chosen(config):
        launchers.check(config, options)
        launch = partial(launchers.run, hydra_context=hydra_context, config=config)
    own = [a for a in arguments if not configs.is_sweep_override(a)]
    if options.resume:
        typed = [a for a in arguments if configs.is_sweep_override(a)]
        ledger = Ledger.open(options.resume)
        with configs.config_dir(configs.added_config_dir() or ledger.config_dir):
            return go_on(ledger, options, own, typed, task_function.nursery, launch)
    if options.method != "grid":
        return search(options, own, task_function.nursery)
    if options.when:
        raise UserError("sweep.when is for sweep.method=tpe or random: a grid has all combinations")
    own += [f"{key}={values}" for key, values in options.space.items() if key not in _keys(own)]
    parser = OverridesParser.create(config_loader=hydra_context.config_loader)
    members = grid(parser.parse_overrides(own), options.zip)
    settings = checked(members)
    nursery: Nursery = task_function.nursery
    slots = [] if launch else options.find_slots(len(members), *nursery.machine())
    root = _root([settings[member.name] for member in members])
    ledger = Ledger.create(root, members, command_line())
    if launch:
        return launch(ledger, members, options)
    return Sweep(ledger, settings, options, nursery, slots).run()


def search(options: SweepOptions, typed: list[str], nursery: Nursery) -> int:
    """Run members as they are chosen; the exit code."""
    assert options.method != "grid"
    if options.zip:
        raise UserError("sweep.zip is for sweep.method=grid")
    plan = SearchPlan(
        options.method, options.trials, options.seed, typed, options.space, options.when
    )
    _, fixed = plan.read()
    slots = options.find_slots(options.trials, *nursery.machine())
    ledger = Ledger.create(_root([compose.load(fixed)]), [], command_line(), plan.to_json())
    return Sweep(ledger, {}, options, nursery, slots, Search(ledger.path, plan)).run()


def go_on(
    ledger: Ledger,
    options: SweepOptions,
    own: list[str],
    typed: list[str],
    nursery: Nursery,
    launch: Callable[[Ledger, list[Member], SweepOptions], int] | None,
) -> int:
    """Do what a sweep left; the exit code."""
    if own:
        raise UserError(
            f"sweep.resume goes on with the sweep as it was: '{own[0]}' would change it"
        )
    may = {"resume", "slots", "member_minutes", "max_minutes", "retries", "on_failure"}
    may |= {"prune", "prune_after"} | ({"trials"} if ledger.search else set())
    for override in typed:
        group, _, key = configs.key_of(override).partition(".")
        if group == "sweep" and key not in may:
            raise UserError(
                f"sweep.resume goes on with the sweep as it was: '{override}' would change it"
            )
    left = [member for member in ledger.members if not ledger.done(member)]
    found = None
    if launch and ledger.search is not None:
        raise UserError(f"{ledger.path} is a search, which runs here; leave out hydra/launcher")
    if ledger.search is not None:
        if "sweep.trials" in map(configs.key_of, typed):
            ledger.search["trials"] = options.trials
            ledger.write()
        found = Search(ledger.path, SearchPlan(**ledger.search))
    settings = checked(left)
    if launch:
        return launch(ledger, left, options)
    total = ledger.search["trials"] if ledger.search else len(left)
    slots = options.find_slots(total, *nursery.machine())
    return Sweep(ledger, settings, options, nursery, slots, found).run()


def _keys(overrides: list[str]) -> set[str]:
    return {configs.key_of(one) for one in overrides}


def _root(settings: list[RunConfig]) -> Path:
    """The folder that the sweep's folder goes to."""
    names = {config.name for config in settings}
    return Path(settings[0].output_dir) / (names.pop() if len(names) == 1 else "sweep")
