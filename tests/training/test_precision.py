"""Number formats: what auto chooses, and that the lower ones train."""

import time
from dataclasses import replace

import pytest
import torch
from toys import CPU, HERE, Masked, cloud, linear, network, trainer_of

from zoo.errors import UserError
from zoo.training.precision import (
    MIN_SHARE,
    MIN_SIZE,
    Precision,
    choose_precision,
    rescale_gradients,
)
from zoo.training.products import Products
from zoo.training.runtime import Runtime

LARGE = Products(count=10, flops=10 * MIN_SIZE, numbers=10 * MIN_SIZE // MIN_SHARE)


@pytest.fixture
def processor(monkeypatch):
    """Decides what the processor has."""

    def has(amx=False, avx512_bf16=False):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)

    return has


def choose(name, products=LARGE, device=CPU):
    return choose_precision(name, Runtime(device), lambda: products)


@pytest.mark.parametrize(
    ("products", "expected", "why"),
    [
        (LARGE, "bf16", "large enough to gain from it"),
        (replace(LARGE, count=11), "fp32", "too small to gain"),  # on average
        (replace(LARGE, numbers=LARGE.numbers * 2), "fp32", "too small a part of the work"),
        (Products(), "fp32", "too small to gain"),
    ],
)
def test_on_a_processor_with_bf16_auto_goes_by_the_models_products(
    processor, products, expected, why
):
    for has in ({"amx": True}, {"avx512_bf16": True}):
        processor(**has)
        name, reason = choose("auto", products)
        assert name == expected and reason.startswith(f"auto: matrix products {why}")


def test_without_it_the_model_is_not_even_asked(processor):
    processor()
    said = choose_precision("auto", HERE, lambda: pytest.fail("it was"))
    assert said == ("fp32", "auto: this cpu device does not compute in bf16")


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_takes_bf16_where_it_does_not_emulate_it(monkeypatch, native):
    """torch counts emulation, too, unless asked not to."""
    supported = lambda including_emulation=True: including_emulation or native  # noqa: E731
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    name, reason = choose("auto", device=torch.device("cuda"))
    assert name == ("bf16" if native else "fp32") and "cuda" in reason


def test_no_clock_decides(monkeypatch):
    for name in ("perf_counter", "process_time", "monotonic", "time"):
        monkeypatch.setattr(time, name, lambda: pytest.fail("a clock was read"))
    assert choose("auto") == choose("auto")


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_what_is_asked_for_is_taken(name):
    assert choose(name) == (name, "set explicitly")


def test_fp16_needs_more_than_a_cpu():
    with pytest.raises(UserError, match="use bf16, auto or fp32"):
        choose("fp16")


def test_bf16_computes_in_bf16_and_keeps_fp32_weights(tmp_path):
    kinds = set()

    class Watching(Masked):
        def step(self, model, data):
            kinds.add(model(data["input"]).dtype)
            return super().step(model, data)

    losses = {}
    for name in ("fp32", "bf16"):
        model = network()
        trainer = trainer_of(
            tmp_path, cloud(), model, Watching(), precision=name, max_steps=80, batch_size=16,
            optim={"name": "adamw", "lr": 0.02},
        )  # fmt: skip
        trainer.fit()
        losses[name] = [row["loss"] for row in trainer.run.metrics("train")]
        assert all(p.dtype == torch.float32 for p in model.parameters())
    assert kinds == {torch.float32, torch.bfloat16}
    assert losses["bf16"] != losses["fp32"]
    assert losses["bf16"][-1] < 0.5 * losses["bf16"][0]
    assert losses["bf16"][-1] == pytest.approx(losses["fp32"][-1], rel=0.3, abs=0.05)


def test_loss_scaling_and_its_state():
    """fp16's scaler works on a CPU too, where only this test uses it."""
    model = linear()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    fp16 = Precision("fp16", CPU)
    plain = linear()
    for target, precision in ((model, fp16), (plain, Precision("fp32", CPU))):
        loss = target(torch.ones(3, 4)).square().sum()
        precision.backward(loss, 3)
    assert torch.allclose(model.weight.grad, plain.weight.grad * 65536)
    fp16.unscale(optimizer)
    assert torch.allclose(model.weight.grad, plain.weight.grad)
    fp16.step(optimizer)
    model.zero_grad()
    fp16.backward(model(torch.full((1, 4), float("inf"))).sum(), 1)
    before = model.weight.detach().clone()
    fp16.step(optimizer)
    assert torch.equal(model.weight, before)  # an overflow skips the step and halves the scale
    state = fp16.state()
    assert state["scaler"]["scale"] == 32768
    for name in ("fp16", "fp32"):  # a run keeps its number format
        other = Precision(name, CPU)
        other.load(state)
        assert other.state() == state
    assert Precision("bf16", CPU).state() == {"name": "bf16", "scaler": {}}


def test_rescaling_skips_what_has_no_gradient():
    model = network()
    model(torch.ones(2, 4)).sum().backward()
    first = next(iter(model.parameters()))
    first.grad = None
    kept = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    rescale_gradients(model.parameters(), torch.tensor(0.5))
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b / 2) for a, b in zip(gradients, kept)) and first.grad is None
