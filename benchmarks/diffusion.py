"""Diffusion with a U-Net, compared with `diffusers`: training steps, and drawing."""

import os
import time
from typing import Any

from benchmarks.interleave import Case, run_interleaved
from benchmarks.isolated import IsolatedCase
from benchmarks.training_steps import start_runtime
from zoo.errors import UserError

BATCH_SIZE, SIDE, CLASSES = 32, 32, 10
WIDTH, LEVELS = 32, 3  # of ours: 32, 64 and 128 channels at 32x32, 16x16 and 8x8 pixels
CHANNELS = (32, 64, 144)  # of theirs, which with 128 computes 12 % fewer operations than ours
TRAINING_STEPS = 3  # per round
DRAWN, DRAWING_STEPS = 32, 5  # images a round, and steps of DDIM for each


def diffusion(rounds: int, threads: int) -> None:
    """Images per second of training, in fp32 and bf16; images per second drawn by DDIM, in fp32."""
    import_diffusers()
    for precision in ("fp32", "bf16"):
        print(
            f"training, {precision}: {BATCH_SIZE} images of {SIDE}x{SIDE} a step, {threads} threads"
        )
        makers = {"diffusers UNet2DModel": diffusers_training, "zoo unet": zoo_training}
        cases = {name: IsolatedCase(make, precision, threads) for name, make in makers.items()}
        run_interleaved(cases, rounds, "images/s")
    print(f"drawing, fp32: {DRAWN} images, {DRAWING_STEPS} steps of DDIM")
    drawing = {"diffusers DDIMScheduler": diffusers_drawing, "zoo diffusion": zoo_drawing}
    cases = {name: IsolatedCase(make, "fp32", threads) for name, make in drawing.items()}
    run_interleaved(cases, rounds, "images/s")


def import_diffusers() -> Any:
    """The module `diffusers`, offline.

    Raises:
        UserError: It is not installed.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import diffusers
    except ImportError:
        raise UserError("needs the U-Net of diffusers: pip install diffusers") from None
    return diffusers


def diffusers_unet() -> Any:
    """Theirs: a block of each resolution on the way down, two on the way up and in the middle."""
    down, up = ["DownBlock2D"] * len(CHANNELS), ["UpBlock2D"] * len(CHANNELS)
    model = import_diffusers().UNet2DModel(
        sample_size=SIDE,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=CHANNELS,
        down_block_types=down,
        up_block_types=up,
        attention_head_dim=36,  # four heads, as ours
        norm_num_groups=8,
        num_class_embeds=CLASSES + 1,
        resnet_time_scale_shift="scale_shift",
    )
    print_size("diffusers", model)
    return model


def zoo_unet() -> Any:
    """Ours, with two blocks of each resolution on both ways."""
    from zoo.models.unet import UNet

    model = UNet((3, SIDE, SIDE), CLASSES, WIDTH, LEVELS - 1, blocks=2, dropout=0.0)
    print_size("zoo", model)
    return model


def print_size(name: str, model: Any) -> None:
    """Parameters, and operations of a forward pass."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.randn(1, 3, SIDE, SIDE), torch.tensor([0.5]), torch.tensor([0]))
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"{name}: {parameters:,} parameters, {counter.get_total_flops() / 1e6:,.0f} MFLOP an image"
    )


def batch() -> tuple[Any, Any]:
    """Noise as images of -1..1, and their classes."""
    import torch

    return torch.rand(BATCH_SIZE, 3, SIDE, SIDE) * 2 - 1, torch.arange(BATCH_SIZE) % CLASSES


def diffusers_training(precision: str) -> Case:
    """A step as their documentation writes it, with the same prediction and schedule as ours."""
    import torch
    import torch.nn.functional as F

    model = diffusers_unet().train()
    scheduler = import_diffusers().DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    images, classes = batch()

    def case() -> float:
        start = time.perf_counter()
        for _ in range(TRAINING_STEPS):
            noise = torch.randn_like(images)
            times = torch.randint(0, 1000, (BATCH_SIZE,))
            dropped = torch.rand(BATCH_SIZE) < 0.1
            noised = scheduler.add_noise(images, noise, times)
            target = scheduler.get_velocity(images, noise, times)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                said = model(noised, times, classes.masked_fill(dropped, CLASSES)).sample
            F.mse_loss(said.float(), target).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return TRAINING_STEPS * BATCH_SIZE / (time.perf_counter() - start)

    return case


def zoo_task() -> Any:
    """Ours."""
    from zoo.tasks.diffusion import Diffusion

    names = [str(k) for k in range(CLASSES)]
    return Diffusion([0.5] * 3, [0.5] * 3, (3, SIDE, SIDE), names)


def zoo_training(precision: str) -> Case:
    """A step as the trainer takes it."""
    from zoo.registry import OPTIMIZERS
    from zoo.training.precision import Precision
    from zoo.training.step import RunningMetrics, accumulate_gradients

    runtime, metrics = start_runtime(), RunningMetrics()
    model, task = zoo_unet().train(), zoo_task()
    optimizer = OPTIMIZERS.build({"name": "adamw", "lr": 1e-4}, model=model)
    parts = (Precision(precision, runtime.device), runtime, metrics)
    images, classes = batch()
    levels = ((images + 1) * 127.5).round() / 127.5 - 1

    def case() -> float:
        start = time.perf_counter()
        for _ in range(TRAINING_STEPS):
            accumulate_gradients(model, task, [{"input": levels, "target": classes}], *parts)
            optimizer.step()
            for parameter in model.parameters():
                parameter.grad = None
        metrics.take()
        return TRAINING_STEPS * BATCH_SIZE / (time.perf_counter() - start)

    return case


def diffusers_drawing(_: str) -> Case:
    """The loop of their documentation."""
    import torch

    model = diffusers_unet().eval()
    scheduler = import_diffusers().DDIMScheduler(
        beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"
    )
    scheduler.set_timesteps(DRAWING_STEPS)

    def case() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            x, classes = torch.randn(DRAWN, 3, SIDE, SIDE), torch.arange(DRAWN) % CLASSES
            for time_step in scheduler.timesteps:
                said = model(x, time_step, classes).sample
                x = scheduler.step(said, time_step, x).prev_sample
        return DRAWN / (time.perf_counter() - start)

    return case


def zoo_drawing(_: str) -> Case:
    """As `scripts/predict.py samples=` draws."""
    import torch

    start_runtime()
    model, task = zoo_unet().eval(), zoo_task()

    def case() -> float:
        start = time.perf_counter()
        with torch.no_grad():
            generator = torch.Generator().manual_seed(0)
            task.draw(model, torch.arange(DRAWN) % CLASSES, generator, steps=DRAWING_STEPS)
        return DRAWN / (time.perf_counter() - start)

    return case
