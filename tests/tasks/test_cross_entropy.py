"""The loss over large vocabularies equals torch's, forward and backward."""

import pytest
import torch
import torch.nn.functional as F

from zoo.tasks.cross_entropy import IGNORED, LARGE, PART, ROWS, cross_entropy_sum


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows, size", [(3, 11), (133, PART // 64), (2 * ROWS + 5, PART // 8)])
def test_equals_torchs(smoothing, rows, size):
    torch.manual_seed(0)
    assert rows == 3 or rows * size > max(LARGE, 2 * PART)  # three parts
    logits = (3 * torch.randn(rows, size)).requires_grad_()
    target = torch.randint(size, (rows,))
    target[1] = IGNORED
    ours = cross_entropy_sum(logits, target, smoothing)
    (gradient,) = torch.autograd.grad(ours / 7, logits)
    exact = logits.detach().double().requires_grad_()
    theirs = F.cross_entropy(exact, target, reduction="sum", label_smoothing=smoothing)
    (expected,) = torch.autograd.grad(theirs / 7, exact)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-8)


def test_bf16_logits_lose_nothing_but_their_rounding():
    torch.manual_seed(0)
    logits = torch.randn(130, 4096).bfloat16().requires_grad_()
    target = torch.randint(4096, (130,))
    loss = cross_entropy_sum(logits, target)
    assert loss.dtype == torch.float32
    expected = F.cross_entropy(logits.double(), target, reduction="sum")
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    assert torch.autograd.grad(loss, logits)[0].dtype == torch.bfloat16


def test_without_gradients_none_are_kept():
    logits, target = torch.randn(130, 4096), torch.randint(4096, (130,))
    with torch.no_grad():
        loss = cross_entropy_sum(logits, target)
    torch.testing.assert_close(loss, F.cross_entropy(logits, target, reduction="sum"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_computed_logits_give_way_to_their_gradient(dtype):
    torch.manual_seed(0)
    x, weight = torch.randn(130, 8, dtype=dtype), torch.randn(4096, 8, dtype=dtype)
    target = torch.randint(4096, (130,))
    places = []

    def gradient(loss_of):
        w = weight.clone().requires_grad_()
        logits = x @ w.mT
        logits.register_hook(lambda g: places.append(g.data_ptr() == logits.data_ptr()))
        return torch.autograd.grad(loss_of(logits), w)[0]

    ours = gradient(lambda logits: cross_entropy_sum(logits, target))
    theirs = gradient(lambda logits: F.cross_entropy(logits.float(), target, reduction="sum"))
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
    assert places == [True, False]
