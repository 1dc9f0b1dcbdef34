"""ResNet-18 with the stem for photographs on 32 x 32 pixels, compared with Hugging Face's."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.interleave import Case, format_ratio, run_interleaved
from benchmarks.isolated import IsolatedCase
from benchmarks.training_steps import import_transformers, start_runtime

BATCH_SIZE, SIDE, CLASSES = 64, 32, 10
STEPS = 2  # per round


def resnet(rounds: int, threads: int) -> None:
    """Training steps: images per second."""
    import_transformers()
    cases = {
        "Hugging Face ResNet-18, fp32": IsolatedCase(hugging_face_resnet, "fp32", threads),
        "zoo resnet, fp32": IsolatedCase(zoo_resnet, "fp32", threads),
        "zoo resnet, bf16": IsolatedCase(zoo_resnet, "bf16", threads),
        "zoo resnet, auto": IsolatedCase(zoo_resnet, "auto", threads),
    }
    print(f"{BATCH_SIZE} images of {SIDE} x {SIDE} a step, {threads} threads")
    rates = run_interleaved(cases, rounds, "images/s")
    print(f"auto / fp32 {format_ratio(rates['zoo resnet, auto'], rates['zoo resnet, fp32'])}")


def random_images() -> tuple[Any, Any]:
    """A batch of noise and its classes."""
    import torch

    return torch.randn(BATCH_SIZE, 3, SIDE, SIDE), torch.arange(BATCH_SIZE) % CLASSES


def hugging_face_resnet(precision: str) -> Case:
    """Hugging Face's ResNet-18, in fp32 whatever the precision."""
    import torch
    import torch.nn.functional as F

    transformers = import_transformers()
    config = transformers.ResNetConfig(
        embedding_size=64,
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        num_labels=CLASSES,
    )
    model = transformers.ResNetForImageClassification(config).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, fused=True)
    x, y = random_images()

    def step() -> None:
        F.cross_entropy(model(x).logits, y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return images_per_second(step)


def zoo_resnet(precision: str) -> Case:
    """Zoo's, as its trainer takes steps."""
    from zoo.models.resnet import ResNet
    from zoo.registry import OPTIMIZERS
    from zoo.tasks.classification import Classification
    from zoo.training.precision import Precision, choose_precision
    from zoo.training.products import ProductCounter
    from zoo.training.step import RunningMetrics, accumulate_gradients

    runtime, metrics = start_runtime(), RunningMetrics()
    model = ResNet((3, SIDE, SIDE), CLASSES, 18).train()
    names = [str(k) for k in range(CLASSES)]
    task = Classification(CLASSES, names, [BATCH_SIZE // CLASSES] * CLASSES)
    x, y = random_images()
    batch = {"input": x, "target": y}
    if precision == "auto":
        counter = ProductCounter()
        with counter:
            task.step(model, batch)
        precision, reason = choose_precision("auto", runtime, lambda: counter.products)
        print(f"{precision} ({reason})")
    optimizer = OPTIMIZERS.build({"name": "sgd", "lr": 0.05, "nesterov": False}, model=model)
    parts = (Precision(precision, runtime.device), runtime, metrics)

    def step() -> None:
        accumulate_gradients(model, task, [batch], *parts)
        optimizer.step()
        for parameter in model.parameters():
            parameter.grad = None
        metrics.take()

    return images_per_second(step)


def images_per_second(step: Callable[[], None]) -> Case:
    """The case of a training step."""

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        return STEPS * BATCH_SIZE / (time.perf_counter() - start)

    return case
