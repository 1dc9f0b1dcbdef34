"""Several optimizers as one, each with parameters of its own."""

import torch

from zoo.optim.groups import Groups


class ChainedOptimizer:
    """Several optimizers stepped as one; each parameter belongs to one of them."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> Groups:
        """The groups of all of them."""
        return [group for optimizer in self.parts for group in optimizer.param_groups]

    def step(self) -> None:
        """Step each."""
        for optimizer in self.parts:
            optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear all gradients."""
        for optimizer in self.parts:
            optimizer.zero_grad(set_to_none)
