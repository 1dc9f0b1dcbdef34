"""What goes on inside a model, for TensorBoard: histograms of weights and gradients, its graph.

Neither is on by default; neither changes what is trained.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from zoo.tasks.base import Batch, Task
from zoo.training.budget import due
from zoo.training.evaluate import harmless
from zoo.training.requests import Request
from zoo.training.trainer import Trainer

GRAPH_SAMPLES = 2


def watch(trainer: Trainer) -> None:
    """Have a trainer write what `trainer.histograms` and `trainer.graph` ask for, on rank 0."""
    asked = trainer.config.histograms or trainer.config.graph
    if asked and trainer.runtime.main:
        trainer.watched = lambda: _watched(trainer)


@contextlib.contextmanager
def _watched(trainer: Trainer) -> Iterator[None]:
    """Around an update: gradients before it, as the optimizer takes them (averaged over ranks,
    without loss scale, clipped); weights after it, which the validation sees."""
    logger, step = trainer.logger, trainer.step + 1
    assert logger is not None
    if trainer.config.graph and step == 1:
        draw_graph(trainer)
    shown = trainer.config.histograms and _validates_after(trainer)
    parameters = trainer.parameters if shown else []
    for parameter in parameters:
        if parameter.grad is not None:
            logger.histogram(f"gradients/{trainer.names[id(parameter)]}", step, parameter.grad)
    yield
    for parameter in parameters:
        logger.histogram(f"weights/{trainer.names[id(parameter)]}", step, parameter)


def _validates_after(trainer: Trainer) -> bool:
    """Whether a validation follows the step that is being taken."""
    step, budget = trainer.step + 1, trainer.budget
    out_of_time = trainer.request == Request.OUT_OF_TIME
    return out_of_time or step == budget.max_steps or due(step, budget.eval_steps)


def draw_graph(trainer: Trainer) -> None:
    """Trace the model, called as the task calls it; a model that cannot be is a warning."""
    model, task = trainer.model, trainer.task
    with harmless(model, trainer.runtime, trainer.console, "trainer.graph=true: the graph"):
        batch = next(trainer.loader.evaluation("val", GRAPH_SAMPLES))
        call = Call(model, *arguments(model, task, batch))
        assert trainer.logger is not None
        trainer.logger.graph(call, call.inputs)


class _Called(Exception):
    """Carries the arguments of a model's call."""


def arguments(model: nn.Module, task: Task, batch: Batch) -> tuple[tuple, dict[str, Any]]:
    """What a task passes to the model, which is not run.

    Raises:
        TypeError: It does not call the model, but a method.
    """

    def stop(module: nn.Module, positional: Any, by_name: Any) -> None:
        raise _Called(positional, by_name)

    hook = model.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        task.step(model, batch)
    except _Called as called:
        positional, by_name = called.args
        return positional, by_name
    finally:
        hook.remove()
    raise TypeError("the task does not call model(...)")


class Call(nn.Module):
    """A call of a model as a function of the tensors among its arguments, to be traced.

    Attributes:
        inputs: Those tensors.
    """

    def __init__(self, model: nn.Module, positional: tuple, by_name: dict[str, Any]) -> None:
        super().__init__()
        self.model = model
        self._leaves, self._form = tree_flatten((positional, by_name))
        self.inputs = tuple(leaf for leaf in self._leaves if isinstance(leaf, Tensor))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors among the model's outputs."""
        tensors = iter(inputs)
        leaves = [next(tensors) if isinstance(leaf, Tensor) else leaf for leaf in self._leaves]
        positional, by_name = tree_unflatten(leaves, self._form)
        outputs = tree_leaves(self.model(*positional, **by_name))
        return tuple(output for output in outputs if isinstance(output, Tensor))
