"""The plain loss is what a smoothed one reports; the gradient is the smoothed one's."""

import pytest
import torch
import torch.nn.functional as F

from zoo.kernels import IGNORE_INDEX
from zoo.tasks.classification import Classification
from zoo.tasks.smoothing import smoothing_excess


def test_the_excess_is_the_difference_of_the_two_losses():
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20, 7, generator=draw)
    target = torch.randint(7, (20,), generator=draw)
    target[3] = IGNORE_INDEX
    smoothed, plain = (
        F.cross_entropy(logits, target, reduction="none", label_smoothing=s) for s in (0.1, 0.0)
    )
    torch.testing.assert_close(smoothing_excess(logits, target, 0.1), smoothed - plain)
    assert smoothing_excess(logits, target, 0.1)[3] == 0


@pytest.mark.parametrize("weights", [None, "balanced"])
def test_training_reports_the_loss_of_validation_and_optimises_its_own(weights):
    draw = torch.Generator().manual_seed(0)
    target = torch.tensor([0, 1, 2, 2, 2, 2])
    task = Classification(3, list("abc"), [1, 1, 4], label_smoothing=0.2, class_weights=weights)
    batch = {"input": torch.randn(6, 3, generator=draw).requires_grad_(), "target": target}
    model = torch.nn.Identity()
    output = task.step(model.train(), batch)
    assert float(output.sums["loss"]) == float(task.step(model.eval(), batch).loss_sum.detach())
    assert not output.sums["loss"].requires_grad
    (gradient,) = torch.autograd.grad(output.loss_sum, batch["input"])
    losses = F.cross_entropy(batch["input"], target, reduction="none", label_smoothing=0.2)
    if weights:
        losses = losses * task.weights[target]
    (expected,) = torch.autograd.grad(losses.sum(), batch["input"])
    torch.testing.assert_close(gradient, expected)
