"""Hydra looks for plugins in this package: zoo/sweep runs `python train.py -m`."""

import os
from typing import Any

from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from zoo.errors import UserError


class ZooSweeper(Sweeper):
    """The sweeper that `configs/hydra/sweeper/zoo.yaml` names."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Keep what Hydra composed."""
        self.given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Run every trial; the exit code is appended to `task_function.codes`."""
        if not hasattr(os, "fork"):
            raise UserError(
                "-m by zoo/sweep needs fork, which this system lacks; add hydra/sweeper=basic"
            )
        from zoo.sweep.hydra_sweeper import sweep  # late: Hydra imports this for every command

        _, task_function, _ = self.given
        task_function.codes.append(sweep(arguments, *self.given))
