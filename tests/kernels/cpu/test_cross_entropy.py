"""Cross-entropy on CPUs: its memory, its dtypes, and which arguments take the implementations."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.kernels import IGNORE_INDEX, cross_entropy, linear_cross_entropy
from zoo.kernels.cpu import cross_entropy as cpu


def test_bf16_logits_lose_nothing_but_their_rounding():
    torch.manual_seed(0)
    logits = torch.randn(130, 4096).bfloat16().requires_grad_()
    target = torch.randint(4096, (130,))
    loss = cross_entropy(logits, target)
    assert loss.dtype == torch.float32
    expected = F.cross_entropy(logits.double(), target, reduction="sum")
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
    assert torch.autograd.grad(loss, logits)[0].dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_computed_logits_give_way_to_their_gradient(dtype):
    torch.manual_seed(0)
    x, weight = torch.randn(130, 8, dtype=dtype), torch.randn(4096, 8, dtype=dtype)
    target = torch.randint(4096, (130,))
    in_place = []

    def gradient(loss_of):
        w = weight.clone().requires_grad_()
        logits = x @ w.mT
        logits.register_hook(lambda g: in_place.append(g.data_ptr() == logits.data_ptr()))
        return torch.autograd.grad(loss_of(logits), w)[0]

    actual = gradient(lambda logits: cross_entropy(logits, target))
    expected = gradient(lambda logits: F.cross_entropy(logits.float(), target, reduction="sum"))
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
    assert in_place == [True, False]


def test_few_logits_are_left_to_torch(monkeypatch):
    monkeypatch.setattr(cross_entropy, "used", set())
    target = torch.randint(64, (4096,))
    cross_entropy(torch.randn(4095, 64), target[:-1])
    assert cross_entropy.used == {"reference"}
    cross_entropy(torch.randn(4096, 64), target)
    assert cross_entropy.used == {"reference", "cross_entropy_by_rows"}


@pytest.fixture
def small_pieces(monkeypatch):
    """Of 16 predictions, however few logits there are."""
    for name, value in {"MIN_HEAD_NUMEL": 1, "HEAD_CHUNK_ROWS": 16, "HEAD_CHUNK_NUMEL": 1}.items():
        monkeypatch.setattr(cpu, name, value)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_head_in_pieces_keeps_no_logits(bias, frozen, small_pieces):
    torch.manual_seed(0)
    head, x = nn.Linear(8, 50, bias=bias).requires_grad_(not frozen), torch.randn(70, 8)
    target = torch.randint(50, (70,))
    target[[3, 40]] = IGNORE_INDEX
    gradients, saved = [], []
    for dtype in (torch.float32, torch.float64):  # float64 takes the reference
        own, leaf = head.to(dtype), x.to(dtype).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
            loss = linear_cross_entropy(leaf, own, target)
        leaves = [leaf, *(p for p in own.parameters() if p.requires_grad)]
        gradients.append([loss, *torch.autograd.grad(loss / 7, leaves)])
        assert any(t.numel() == 70 * 50 for t in saved) == (dtype == torch.float64)
    assert len(gradients[0]) == 2 + (not frozen) * (1 + bias)
    for actual, expected in zip(*gradients):
        torch.testing.assert_close(actual.double(), expected.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["few", "bf16", "another head", "no gradient", "hook", "hooks"])
def test_heads_that_are_called_themselves(name, small_pieces, monkeypatch):
    if name == "few":
        monkeypatch.setattr(cpu, "MIN_HEAD_NUMEL", 70 * 50 + 1)
    monkeypatch.setattr(linear_cross_entropy, "used", set())
    head = nn.Linear(8, 50) if name != "another head" else nn.Sequential(nn.Linear(8, 50))
    x, target = torch.randn(70, 8, requires_grad=name != "no gradient"), torch.randint(50, (70,))
    hook = None
    if name == "hook":
        hook = head.register_forward_hook(lambda *_: None)
    elif name == "hooks":
        hook = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            loss = linear_cross_entropy(x, head, target)
            torch.testing.assert_close(loss, cross_entropy(head(x), target))
    finally:
        if hook is not None:
            hook.remove()
    assert linear_cross_entropy.used == {"reference"}
