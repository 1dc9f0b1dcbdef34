"""The benchmark of kernels: what a step uses, and a step without it."""

import torch

from benchmarks.kernels import forward_backward, ratios, step_without, used_in
from zoo.kernels import cross_entropy


def test_an_implementation_is_found_in_a_step_and_left_out_of_it(monkeypatch):
    def step():
        for rows in (64, 128, 96):
            logits = torch.randn(rows, 4096, requires_grad=True)
            cross_entropy(logits * 1, torch.zeros(rows, dtype=torch.int64)).backward()

    ((kernel, fast, arguments),) = used_in(step)
    assert kernel is cross_entropy and fast.name == "cross_entropy_by_rows"
    assert arguments[0].shape == (128, 4096)  # the largest
    forward_backward(fast.function, arguments)
    monkeypatch.setattr(cross_entropy, "used", set())
    step_without(step, kernel, fast)
    assert cross_entropy.used == {"reference"}
    step()
    assert cross_entropy.used == {"reference", "cross_entropy_by_rows"}


def test_ratios_take_turns():
    calls = []
    median, least, greatest = ratios(
        lambda: calls.append(sum(range(200_000))), lambda: calls.append(sum(range(100_000))), 3
    )
    assert len(calls) == 8 and least <= median <= greatest
