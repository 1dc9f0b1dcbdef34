"""`python train.py -m` as Hydra's sweeper: from the command line to trials, and to their runs.

With another launcher (`hydra/launcher=submitit_slurm`) the trials are handed to that one.
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
from zoo.files import user_path
from zoo.program import command_line
from zoo.runs.links import refuse_links
from zoo.sweep import launchers
from zoo.sweep.controller import Sweep
from zoo.sweep.fork_server import ForkServer
from zoo.sweep.options import SweepOptions, read_options
from zoo.sweep.search import Search, SearchPlan
from zoo.sweep.store import SweepState
from zoo.sweep.trials import Trial, grid, load_configs

Launch = Callable[[SweepState, list[Trial], SweepOptions], int]
RESUME_MAY_SET = frozenset(
    (
        "resume", "slots", "trial_minutes", "member_minutes", "max_minutes", "retries",
        "on_failure", "prune", "prune_after",
    )
)  # fmt: skip


def sweep(arguments: list[str], hydra_context: Any, task_function: Any, config: DictConfig) -> int:
    """Run all trials of a command line; returns the exit code.

    Args:
        arguments: Overrides, lists of values among them.
        hydra_context, task_function, config: Hydra's; `task_function.fork_server` forks the trials.

    Raises:
        UserError: A mistake in any trial, before the first one runs.
    """
    if "RANK" in os.environ:
        raise UserError(
            "-m under torchrun: every rank would run every trial; start the sweep without "
            "torchrun, with trainer.devices=2 for two processes a trial"
        )
    if "resume" in map(configs.key_of, arguments):
        raise UserError("resume= goes on with one run; a sweep is resumed by sweep.resume=")
    options = read_options(OmegaConf.to_container(config.sweep))  # type: ignore[arg-type]
    launch = None
    if launchers.chosen(config):
        launchers.check(config, options)
        launch = partial(launchers.run, hydra_context=hydra_context, config=config)
    overrides = [a for a in arguments if not configs.is_sweep_override(a)]
    server: ForkServer = task_function.fork_server
    if options.resume == "":
        raise UserError("sweep.resume= names no folder; give a sweep's, or leave it out")
    if options.resume:
        typed = [a for a in arguments if configs.is_sweep_override(a)]
        state = SweepState.open(options.resume)
        refuse_links(state.path, "sweep.resume")
        with configs.config_dir(configs.added_config_dir() or state.config_dir):
            return resume(state, options, overrides, typed, server, launch)
    if options.method != "grid":
        return search(options, overrides, server)
    given = set(map(configs.key_of, arguments)) | ({"sweep.when"} if options.when else set())
    for key in ("sweep.when", "sweep.trials", "sweep.seed"):
        if key in given:
            raise UserError(f"{key} is for sweep.method=tpe or random: a grid has all combinations")
    keys = set(map(configs.key_of, overrides))
    overrides += [f"{key}={values}" for key, values in options.space.items() if key not in keys]
    parser = OverridesParser.create(config_loader=hydra_context.config_loader)
    trials = grid(parser.parse_overrides(overrides), options.zip)
    return train_all(trials, options, server, launch)


def train_all(
    trials: list[Trial], options: SweepOptions, server: ForkServer, launch: Launch | None
) -> int:
    """Run a new sweep of these trials; returns the exit code."""
    settings = load_configs(trials)
    slots = [] if launch else options.find_slots(len(trials), *server.machine())
    root = _root([settings[trial.name] for trial in trials])
    state = SweepState.create(root, trials, command_line())
    if launch:
        return launch(state, trials, options)
    return Sweep(state, settings, options, server, slots).run()


def search(options: SweepOptions, typed: list[str], server: ForkServer) -> int:
    """Run a search; returns the exit code.

    Raises:
        UserError: A mistake in the search space.
    """
    assert options.method != "grid"
    if options.zip:
        raise UserError("sweep.zip is for sweep.method=grid")
    plan = SearchPlan(
        options.method, options.trials, options.seed, typed, options.space, options.when
    )
    _, fixed = plan.read(is_new=True)
    slots = options.find_slots(options.trials, *server.machine())
    state = SweepState.create(_root([compose.load(fixed)]), [], command_line(), plan.to_json())
    return Sweep(state, {}, options, server, slots, Search(state.path, plan)).run()


def resume(
    state: SweepState,
    options: SweepOptions,
    overrides: list[str],
    typed: list[str],
    server: ForkServer,
    launch: Launch | None,
) -> int:
    """Complete an unfinished sweep; returns the exit code.

    Args:
        state: The sweep.
        options: How to run the rest.
        overrides: Those of other settings: refused, as they would change the trials.
        typed: Overrides that are.
        server: Forks the trials.
        launch: Hands trials to a launcher; None to run them here.

    Raises:
        UserError: An override that would change the sweep.
    """
    _check_resume(state, overrides, typed)
    unfinished = [trial for trial in state.trials if not state.done(trial)]
    if launch and state.search is not None:
        raise UserError(f"{state.path} is a search, which runs here; leave out hydra/launcher")
    resumed_search = None
    if state.search is not None:
        if "sweep.trials" in map(configs.key_of, typed):
            state.search["trials"] = options.trials
            state.write()
        resumed_search = Search(state.path, SearchPlan(**state.search))
    settings = load_configs(unfinished)
    if launch:
        return launch(state, unfinished, options)
    total = state.search["trials"] if state.search else len(unfinished)
    slots = options.find_slots(total, *server.machine())
    return Sweep(state, settings, options, server, slots, resumed_search).run()


def _check_resume(state: SweepState, overrides: list[str], typed: list[str]) -> None:
    permitted = RESUME_MAY_SET | ({"trials"} if state.search else set())
    refused = [o for o in overrides if o not in state.plugins]
    if missing := state.plugins - set(overrides):
        raise UserError(
            f"the sweep used code of its own, which is imported only on request: if you trust it, "
            f"add {' '.join(sorted(missing))}"
        )
    for override in typed:
        group, _, key = configs.key_of(override).partition(".")
        if group == "sweep" and key not in permitted:
            refused.append(override)
    if refused:
        raise UserError(
            f"sweep.resume continues the sweep as it was: '{refused[0]}' would change it"
        )


def _root(settings: list[RunConfig]) -> Path:
    """The parent of the sweep's folder."""
    names = {config.name for config in settings}
    return user_path(settings[0].output_dir) / (names.pop() if len(names) == 1 else "sweep")
