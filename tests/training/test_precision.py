"""Number formats: what auto chooses, and that the lower ones train."""

import pytest
import torch
from toys import CPU, HERE, Masked, cloud, linear, network, same, trainer_of, weights

from zoo.errors import UserError
from zoo.training import precision as module
from zoo.training.precision import Precision, choose_precision, rescale_gradients
from zoo.training.runtime import rng_state


def batch():
    columns = cloud().splits["train"].columns
    return {name: column[:16] for name, column in columns.items()}


def choose(name, model=None, repeatable=False):
    return choose_precision(name, model or network(), Masked(), batch(), HERE, repeatable)


def test_auto_takes_fp32_for_a_tiny_model():
    name, reason = choose("auto")
    assert name == "fp32" and reason.startswith("auto: ")


@pytest.mark.parametrize(("gain", "expected"), [(3.0, "bf16"), (1.25, "bf16"), (1.1, "fp32")])
def test_auto_takes_what_is_worth_it(monkeypatch, gain, expected):
    seconds = {"fp32": 1.0, "bf16": 1.0 / gain}
    monkeypatch.setattr(module, "_seconds", lambda m, t, b, p, r: seconds[p.name])
    name, reason = choose("auto")
    assert name == expected and f"{1 / gain:.2f} of fp32's time" in reason


def test_a_cold_start_does_not_hide_that_a_model_is_tiny(monkeypatch):
    steps = {"fp32": iter([1.0, *[1e-3] * 9]), "bf16": iter([1.0, *[1e-4] * 9])}
    monkeypatch.setattr(module, "_seconds", lambda m, t, b, p, r: next(steps[p.name]))
    assert choose("auto") == ("fp32", "auto: a step takes 1.0 ms, too short to gain")


def test_auto_takes_fp32_where_the_lower_one_fails(monkeypatch):
    def seconds(model, task, data, precision, runtime):
        if precision.name != "fp32":
            raise RuntimeError("no kernel\nfor that")
        return 1.0

    monkeypatch.setattr(module, "_seconds", seconds)
    assert choose("auto") == ("fp32", "auto: bf16 does not run here (no kernel)")


def test_a_repeatable_run_asks_no_clock(monkeypatch):
    monkeypatch.setattr(module, "_seconds", lambda *_: pytest.fail("it was timed"))
    assert choose("auto", repeatable=True)[0] == "fp32"


def test_the_trial_leaves_no_trace(monkeypatch):
    monkeypatch.setattr(module, "TINY_SECONDS", 0)
    model = network(dropout=0.5, norm="batch")
    before, numbers = weights(model), rng_state(CPU)
    choose("auto", model)
    assert same(before, weights(model))
    after = rng_state(CPU)
    assert all(torch.equal(numbers[name], after[name]) for name in numbers)
    assert all(p.grad is None for p in model.parameters())


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
