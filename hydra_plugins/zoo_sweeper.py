"""Where Hydra looks for plugins: `python train.py -m` is run by zoo/sweep."""

import os
from typing import Any

from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from zoo.errors import UserError


class ZooSweeper(Sweeper):
    """What `configs/hydra/sweeper/zoo.yaml` names."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Hydra hands over what was composed."""
        self.given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Run every member; the exit code goes to the command line's `codes`."""
        if not hasattr(os, "fork"):
            raise UserError(
                "-m by zoo/sweep needs fork, which this system lacks; add hydra/sweeper=basic"
            )
        from zoo.sweep.hydra_sweeper import sweep  # not before: Hydra imports us for every command

        _, task_function, _ = self.given
        task_function.codes.append(sweep(arguments, *self.given))
