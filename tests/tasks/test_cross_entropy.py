"""The loss over large vocabularies equals torch's, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.tasks import cross_entropy
from zoo.tasks.cross_entropy import (
    IGNORED,
    LARGE,
    PART,
    ROWS,
    cross_entropy_sum,
    head_cross_entropy_sum,
)


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


@pytest.fixture
def small_pieces(monkeypatch):
    """Of 16 predictions, however few logits there are."""
    for name, value in {"MANY": 1, "HEAD_ROWS": 16, "HEAD_PART": 1}.items():
        monkeypatch.setattr(cross_entropy, name, value)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_of_a_head_in_pieces(bias, frozen, small_pieces):
    torch.manual_seed(0)
    head, x = nn.Linear(8, 50, bias=bias).requires_grad_(not frozen), torch.randn(70, 8)
    target = torch.randint(50, (70,))
    target[[3, 40]] = IGNORED
    found, kept = [], []
    for form in (torch.float32, torch.float64):  # float64 takes torch's own way
        own, read = head.to(form), x.to(form).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            loss = head_cross_entropy_sum(read, own, target)
        wanted = [read, *(p for p in own.parameters() if p.requires_grad)]
        found.append([loss, *torch.autograd.grad(loss / 7, wanted)])
        assert any(t.numel() == 70 * 50 for t in kept) == (form == torch.float64)
    assert len(found[0]) == 2 + (not frozen) * (1 + bias)
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["few", "bf16", "another head", "no gradient"])
def test_all_logits_at_once_where_pieces_gain_nothing(name, small_pieces, monkeypatch):
    if name == "few":
        monkeypatch.setattr(cross_entropy, "MANY", 70 * 50 + 1)
    head = nn.Linear(8, 50) if name != "another head" else nn.Sequential(nn.Linear(8, 50))
    called = []
    head.register_forward_hook(lambda *_: called.append(1))
    x, target = torch.randn(70, 8, requires_grad=name != "no gradient"), torch.randint(50, (70,))
    with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
        loss = head_cross_entropy_sum(x, head, target)
        torch.testing.assert_close(loss, cross_entropy_sum(head(x), target))
    assert len(called) == 2
