"""Where Hydra looks for plugins: `python train.py -m` is run by zoo/sweep."""

from typing import Any

from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig


class ZooSweeper(Sweeper):
    """What `configs/hydra/sweeper/zoo.yaml` names."""

    def setup(self, *, hydra_context: Any, task_function: Any, config: DictConfig) -> None:
        """Hydra hands over what was composed."""
        self.given = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> None:
        """Run every member; the exit code goes to the command line's `codes`."""
        from zoo.sweep.plugin import sweep  # not before: Hydra imports us for every command

        _, task_function, _ = self.given
        task_function.codes.append(sweep(arguments, *self.given))
