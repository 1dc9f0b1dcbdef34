"""LoRA beside PEFT's, ResNet beside Hugging Face's: the part of benchmark.py that needs them."""

import time
from collections.abc import Callable
from typing import Any

from benchmark_language import apart, hugging_face, hugging_face_steps, start, zoo_steps
from benchmark_race import paired, race

VOCABULARY, CONTEXT, TEXTS = 50_257, 256, 4
IMAGES, SIDE, CLASSES = 64, 32, 10
STEPS = 2  # a round


def lora(rounds: int, threads: int) -> None:
    """GPT-2 of 124 million parameters, rank 8 beside attention: tokens per second, peak memory."""
    hugging_face()
    makers = {"PEFT on Hugging Face": peft_steps, "zoo lora": zoo_lora, "zoo, all": zoo_full}
    cases = {name: apart(make, "fp32", threads) for name, make in makers.items()}
    print(f"fp32: {TEXTS} x {CONTEXT} tokens a step, {threads} threads")
    race(cases, rounds, "tokens/s")
    for name, case in cases.items():
        print(f"{name:36s} {case('peak'):10,.0f} MB at most")


def tokens() -> Any:
    """Random tokens, int64 (8, B, T + 1)."""
    import torch

    return torch.randint(VOCABULARY, (8, TEXTS, CONTEXT + 1))


def peft_steps(precision: str) -> Callable[[], float]:
    """PEFT's LoRA on their GPT-2."""
    import peft

    module = hugging_face()
    config = module.GPT2Config(n_positions=CONTEXT, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
    form = peft.LoraConfig(
        r=8, lora_alpha=16, target_modules=["c_attn", "attn.c_proj"], fan_in_fan_out=True
    )
    model = peft.get_peft_model(module.GPT2LMHeadModel(config), form)
    inputs = [{"input_ids": one[:, :-1], "labels": one[:, :-1]} for one in tokens()]
    return hugging_face_steps(model, inputs, precision)


def zoo_lora(precision: str) -> Callable[[], float]:
    """Ours."""
    return zoo_gpt2(precision, True)


def zoo_full(precision: str) -> Callable[[], float]:
    """Ours with all parameters trained."""
    return zoo_gpt2(precision, False)


def zoo_gpt2(precision: str, adapted: bool) -> Callable[[], float]:
    """GPT-2's size."""
    from zoo.adapters.lora import lora as adapt
    from zoo.models.gpt import GPT
    from zoo.tasks.causal_lm import CausalLM

    start()
    model = GPT(VOCABULARY, CONTEXT, 768, 12, 12)
    if adapted:
        adapt(model, targets=["qkv", "attention.out"])
    return zoo_steps(model, CausalLM([1] * VOCABULARY, None), tokens(), precision)


def resnet(rounds: int, threads: int) -> None:
    """ResNet-18 with the stem of photographs on 32 x 32 pixels: images per second."""
    hugging_face()
    cases = {
        "Hugging Face ResNet-18, fp32": apart(hugging_face_resnet, "fp32", threads),
        "zoo resnet, fp32": apart(zoo_resnet, "fp32", threads),
        "zoo resnet, bf16": apart(zoo_resnet, "bf16", threads),
        "zoo resnet, auto": apart(zoo_resnet, "auto", threads),
    }
    print(f"{IMAGES} images of {SIDE} x {SIDE} a step, {threads} threads")
    figures = race(cases, rounds, "images/s")
    ratio, low, high = paired(figures["zoo resnet, auto"], figures["zoo resnet, fp32"])
    print(f"auto / fp32 {ratio:.2f} [{low:.2f} to {high:.2f}]")


def images() -> tuple[Any, Any]:
    """A batch of noise and its classes."""
    import torch

    return torch.randn(IMAGES, 3, SIDE, SIDE), torch.arange(IMAGES) % CLASSES


def hugging_face_resnet(precision: str) -> Callable[[], float]:
    """Their ResNet-18."""
    import torch
    import torch.nn.functional as F

    sizes = dict(hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic")
    module = hugging_face()
    model = module.ResNetForImageClassification(
        module.ResNetConfig(embedding_size=64, num_labels=CLASSES, **sizes)
    ).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, fused=True)
    x, y = images()

    def step() -> None:
        F.cross_entropy(model(x).logits, y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return timed(step)


def zoo_resnet(precision: str) -> Callable[[], float]:
    """Ours, as our trainer takes steps."""
    from zoo.models.resnet import ResNet
    from zoo.registry import OPTIMIZERS
    from zoo.tasks.classification import Classification
    from zoo.training.precision import Precision, choose_precision
    from zoo.training.step import RunningMetrics, accumulate_gradients

    runtime, window = start(), RunningMetrics()
    model = ResNet((3, SIDE, SIDE), CLASSES, 18).train()
    names = [str(k) for k in range(CLASSES)]
    task = Classification(CLASSES, names, [IMAGES // CLASSES] * CLASSES)
    x, y = images()
    batch = {"input": x, "target": y}
    if precision == "auto":
        precision, reason = choose_precision("auto", model, task, batch, runtime, False)
        print(f"auto: {precision} ({reason})")
    optimizer = OPTIMIZERS.build({"name": "sgd", "lr": 0.05, "nesterov": False}, model=model)
    parts = (Precision(precision, runtime.device), runtime, window)

    def step() -> None:
        accumulate_gradients(model, task, [batch], *parts)
        optimizer.step()
        for parameter in model.parameters():
            parameter.grad = None
        window.take()

    return timed(step)


def timed(step: Callable[[], None]) -> Callable[[], float]:
    """Images per second of a few steps."""

    def case() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            step()
        return STEPS * IMAGES / (time.perf_counter() - start)

    return case
