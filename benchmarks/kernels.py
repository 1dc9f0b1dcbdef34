"""Kernel implementations compared with their references, alone and in a recipe's training step.

Results are ratios of processor seconds within a round, so that other programs disturb them little.
"""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.interleave import paired_ratio
from zoo import build
from zoo.config import compose
from zoo.kernels import KERNELS
from zoo.kernels.registry import Implementation, Kernel
from zoo.training.runtime import Runtime

WORTH = 0.95  # of a step's time without it: above, an implementation does not pay in that recipe
GPT2 = (
    "model.positions=learned", "model.activation=gelu_tanh", "model.qk_norm=false",
    "model.bias=true", "model.tie=true", "model.init=gpt2",
)  # fmt: skip
RECIPES = {
    "gpt fp32": ("experiment=gpt_stdlib", "trainer.precision=fp32"),
    "gpt bf16": ("experiment=gpt_stdlib", "trainer.precision=bf16"),
    "gpt2 fp32": ("experiment=gpt_stdlib", "trainer.precision=fp32", *GPT2),
    "gpt2 bf16": ("experiment=gpt_stdlib", "trainer.precision=bf16", *GPT2),
    "bert fp32": ("experiment=bert_pydoc", "trainer.precision=fp32"),
    "bert bf16": ("experiment=bert_pydoc", "trainer.precision=bf16"),
    "topics fp32": ("experiment=gpt_topics", "trainer.precision=fp32"),
    "transformer fp32": ("experiment=transformer_numbers", "trainer.precision=fp32"),
    "transformer bf16": ("experiment=transformer_numbers", "trainer.precision=bf16"),
    "word2vec fp32": ("experiment=word2vec_pydoc", "trainer.precision=fp32"),
}


def kernels(rounds: int, threads: int, overrides: list[str]) -> None:
    """Every implementation that a recipe uses: of `RECIPES`, or of experiment=... if given."""
    torch.set_num_threads(threads)
    chosen = [o for o in overrides if o.startswith("experiment=")]
    best: dict[str, float] = {}
    for recipe, settings in ({"recipe": ()} if chosen else RECIPES).items():
        step = training_step([*settings, *overrides])
        for kernel, fast, arguments in used_in(step):
            alone = ratios(
                partial(forward_backward, fast.function, arguments),
                partial(forward_backward, kernel.reference, arguments),
                4 * rounds,
            )
            in_step = ratios(step, partial(step_without, step, kernel, fast), rounds)
            best[fast.name] = min(best.get(fast.name, 1.0), in_step[0])
            print(
                f"{recipe:17s} {fast.name:34s} alone {alone[0]:.3f} [{alone[1]:.3f} to "
                f"{alone[2]:.3f}]  step {in_step[0]:.3f} [{in_step[1]:.3f} to {in_step[2]:.3f}]",
                flush=True,
            )
    for name, ratio in best.items():
        verdict = "pays" if ratio <= WORTH else f"gains less than {1 - WORTH:.0%} of any step here"
        print(f"{name:34s} best step {ratio:.3f} of that without it: {verdict}")


def training_step(overrides: list[str]) -> Callable[[], None]:
    """A function that trains one step of a recipe, always on its first batch."""
    folder = tempfile.mkdtemp()
    config = compose.load([*overrides, f"output_dir={folder}", "trainer.device=cpu"])
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = build.build_dataset(config.data)
        trainer = build.build_trainer(config, dataset, Runtime(torch.device("cpu")))
    trainer.model.train()
    batch = next(trainer.loader.training(0, 1))

    def step() -> None:
        trainer.train_step(batch)
        trainer.step += 1

    return step


def used_in(step: Callable[[], None]) -> list[tuple[Kernel, Implementation, tuple[Any, ...]]]:
    """The implementations that a step calls, each with the largest arguments it was given."""
    calls: dict[str, tuple[Kernel, Implementation, tuple[Any, ...]]] = {}
    restore = [(kernel, list(kernel.implementations)) for kernel in KERNELS.values()]
    for kernel, implementations in restore:
        kernel.implementations[:] = [
            Implementation(watched(kernel, fast, calls), fast.dtypes, fast.supports, fast.pays)
            for fast in implementations
        ]
    try:
        step()
    finally:
        for kernel, implementations in restore:
            kernel.implementations[:] = implementations
    return list(calls.values())


def watched(kernel: Kernel, fast: Implementation, calls: dict[str, Any]) -> Callable[..., Any]:
    """The implementation's function, which notes its arguments."""

    def function(*arguments: Any, **options: Any) -> Any:
        size = sum(t.numel() for t in tensors(arguments))
        if fast.name not in calls or size > sum(t.numel() for t in tensors(calls[fast.name][2])):
            calls[fast.name] = kernel, fast, detached(arguments)
        return fast.function(*arguments, **options)

    return function


def tensors(values: Any) -> Iterator[Tensor]:
    """Tensors among arguments."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors(value)


def detached(values: Any) -> tuple[Any, ...]:
    """The same arguments apart from the step that they came from."""
    return tuple(
        v.detach().clone().requires_grad_(v.requires_grad)
        if isinstance(v, Tensor)
        else list(detached(v))
        if isinstance(v, (list, tuple))
        else v
        for v in values
    )


def forward_backward(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """A result and its gradients, from tensors computed from leaves, as in a model."""
    leaves = [t for t in tensors(arguments) if t.requires_grad]
    leaves += [p for a in arguments if isinstance(a, nn.Module) for p in a.parameters()]

    def views(values: Any) -> list[Any]:
        return [
            views(v)
            if isinstance(v, list)
            else v.view_as(v)
            if isinstance(v, Tensor) and v.requires_grad
            else v
            for v in values
        ]

    y = function(*views(arguments))
    if leaves:
        torch.autograd.grad(y, leaves, torch.ones_like(y))


def step_without(step: Callable[[], None], kernel: Kernel, fast: Implementation) -> None:
    """A step without one implementation."""
    before = list(kernel.implementations)
    kernel.implementations.remove(fast)
    try:
        step()
    finally:
        kernel.implementations[:] = before


def ratios(
    first: Callable[[], None], second: Callable[[], None], rounds: int
) -> tuple[float, float, float]:
    """Ratio of processor seconds, interleaved, after a warm-up round: median, least, greatest."""
    seconds: dict[int, list[float]] = {0: [], 1: []}
    for k in range(rounds + 1):
        for case in (0, 1) if k % 2 else (1, 0):
            start = time.process_time()
            (first, second)[case]()
            seconds[case].append(time.process_time() - start)
    return paired_ratio(seconds[0][1:], seconds[1][1:])
