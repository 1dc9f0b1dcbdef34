"""Training steps of language models as a case: as Hugging Face documents them, as Zoo takes them.

Hugging Face's models are measured where they are installed (`pip install transformers`).
"""

import itertools
import os
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.interleave import Case, run_interleaved
from benchmarks.isolated import IsolatedCase, MakeCase
from zoo.errors import UserError

STEPS = 3  # per round


def import_transformers() -> Any:
    """The module `transformers`, quiet and offline.

    Raises:
        UserError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError:
        raise UserError("needs Hugging Face's models: pip install transformers") from None
    transformers.logging.set_verbosity_error()
    return transformers


def compare_training(
    makers: Mapping[str, MakeCase], size: tuple[int, int], rounds: int, threads: int
) -> None:
    """Tokens per second of each side in fp32, then in bf16.

    Args:
        makers: By name, functions that make the case of a precision.
        size: Sequences a step and tokens of each, for the heading.
        rounds: Of the comparison.
        threads: Of each process.
    """
    import_transformers()
    for precision in ("fp32", "bf16"):
        print(f"{precision}: {size[0]} x {size[1]} tokens a step, {threads} threads")
        cases = {name: IsolatedCase(make, precision, threads) for name, make in makers.items()}
        run_interleaved(cases, rounds, "tokens/s")


def hugging_face_steps(model: Any, inputs: list[dict[str, Any]], precision: str) -> Case:
    """Steps as Hugging Face's documentation writes them."""
    import torch

    optimizer = torch.optim.AdamW(model.train().parameters(), lr=3e-4, fused=True)
    tokens, batches = inputs[0]["input_ids"].numel(), itertools.cycle(inputs)

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                loss = model(**next(batches)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return STEPS * tokens / (time.perf_counter() - start)

    return case


def start_runtime() -> Any:
    """Set up memory as train.py does before its first tensor: kept, and in large pages."""
    from zoo.training.runtime import Runtime

    return Runtime.start("cpu")


def zoo_steps(model: Any, task: Any, tokens: Any, precision: str) -> Case:
    """Steps as Zoo's trainer takes them, over tokens, int64 (batches, B, T + 1)."""
    from zoo.registry import OPTIMIZERS
    from zoo.training.precision import Precision
    from zoo.training.step import RunningMetrics, accumulate_gradients

    runtime, metrics = start_runtime(), RunningMetrics()
    optimizer = OPTIMIZERS.build({"name": "adamw", "lr": 3e-4}, model=model.train())
    parts = (Precision(precision, runtime.device), runtime, metrics)
    batches = itertools.cycle({"input": batch} for batch in tokens)

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            accumulate_gradients(model, task, [next(batches)], *parts)
            optimizer.step()
            for parameter in model.parameters():
                parameter.grad = None
        metrics.take()
        return STEPS * tokens[0, :, :-1].numel() / (time.perf_counter() - start)

    return case
