"""Mixtures of experts against a direct computation; balance by loss and by bias."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zoo.layers.mixture import Mixture, add_auxiliary, refuse_auxiliary
from zoo.layers.recording import count_only, record_load

GROUPS = dict(experts=8, active=3, groups=4, active_groups=2, score="sigmoid", scale=2.5, shared=2)


def make(**options):
    torch.manual_seed(0)
    layer = Mixture(16, **dict(experts=5, active=2, inner=6) | options).double()
    if layer.balance == "bias":
        layer.bias += 0.2 * torch.randn(layer.experts)
    return layer, torch.randn(3, 7, 16, dtype=torch.float64)


def directly(layer, x):
    """A token at a time, an expert at a time."""
    logits = layer.router(x)
    scores = logits.softmax(-1) if layer.score == "softmax" else logits.sigmoid()
    preferred = scores + layer.bias if layer.balance == "bias" else scores
    if layer.groups > 1:
        best = preferred.unflatten(0, (layer.groups, -1)).topk(2).values.sum(1)
        size = layer.experts // layer.groups
        for group in best.argsort()[: layer.groups - layer.active_groups].tolist():
            preferred[group * size : (group + 1) * size] = float("-inf")
    chosen = preferred.argsort(descending=True)[: layer.active].tolist()
    total = sum(scores[e] for e in chosen) if layer.normalise else 1.0
    y = 0.0 if layer.shared is None else layer.shared(x)
    for e in chosen:
        value, gate = (layer.up.weights[e] @ x).chunk(2)
        y = y + layer.scale * scores[e] / total * (layer.down.weights[e] @ (value * F.silu(gate)))
    return y


@pytest.mark.parametrize("options", [{}, dict(normalise=False, balance="none", shared=1), GROUPS])
def test_tokens_are_computed_by_their_experts(options):
    layer, x = make(**options)
    expected = torch.stack([directly(layer, row) for row in x.flatten(0, 1)]).view(x.shape)
    torch.testing.assert_close(layer(x), expected, rtol=1e-10, atol=1e-10)


def test_a_graph_computes_all_experts():
    layer, x = make(**GROUPS)
    tokens = torch.export.Dim("tokens", min=2, max=64)
    graph = torch.export.export(layer.eval(), (x,), dynamic_shapes=({1: tokens},)).module()
    for other in (x, torch.cat([x, -x], 1)):
        torch.testing.assert_close(graph(other), layer(other), rtol=1e-10, atol=1e-10)


def test_the_auxiliary_loss_is_switchs_of_each_sequence_and_adds_up():
    layer, x = make(balance="loss", balance_rate=0.5)
    layer(x)
    scores = layer.router(x).softmax(-1)
    chosen = F.one_hot(scores.topk(2).indices, 5).sum(2).double()
    expected = 0.5 * sum(
        7 * 5 * (c.mean(0) / 2 * s.mean(0)).sum() for c, s in zip(chosen, scores, strict=True)
    )
    plain = torch.zeros((), dtype=torch.float64)
    loss = add_auxiliary(plain, layer)
    assert loss.item() == 0.0, "what is reported is the plain loss"
    (whole,) = torch.autograd.grad(loss, layer.router.weight)
    (direct,) = torch.autograd.grad(expected, layer.router.weight)
    torch.testing.assert_close(whole, direct, rtol=1e-10, atol=1e-12)
    parts = 0.0
    for part in (x[:1], x[1:]):
        layer(part)
        parts = parts + torch.autograd.grad(add_auxiliary(plain, layer), layer.router.weight)[0]
    torch.testing.assert_close(parts, whole, rtol=1e-10, atol=1e-12)
    layer.eval()(x)
    assert add_auxiliary(plain, layer) is plain


def test_padding_has_no_part_in_the_auxiliary_loss():
    layer, x = make(balance="loss", balance_rate=0.5)
    lengths, expected = (7, 2, 4), 0.0
    for row, length in zip(x, lengths, strict=True):
        layer(row[None, :length])
        expected = expected + layer.auxiliary
    with count_only(layer, torch.arange(7) < torch.tensor(lengths)[:, None]):
        layer(x)
    torch.testing.assert_close(layer.auxiliary, expected, rtol=1e-12, atol=0)


def test_an_auxiliary_loss_that_nobody_would_add_is_refused():
    layer, _ = make(balance="loss")
    with pytest.raises(
        ValueError, match="balance=loss is for task=causal_lm.*balance=bias or none"
    ):
        refuse_auxiliary(layer)
    refuse_auxiliary(make(balance="bias")[0])


def test_the_bias_makes_experts_alike_busy():
    """A router that loves one expert: all but nothing goes to the last before, a fair share after;
    a mixture of frozen weights keeps its bias."""
    layer, _ = make(experts=4, active=1, balance_rate=0.01)
    nn.init.zeros_(layer.bias)
    x = 0.5 + torch.randn(8, 64, 16, dtype=torch.float64)
    with torch.no_grad():
        layer.router.weight[0] += 0.3
        least = []
        for _ in range(120):
            layer(x)
            least.append(int(layer.load.min()))
            layer.rebalance(layer.load.clone())
            layer.load.zero_()
    assert least[0] < 0.3 * 8 * 64 / 4 and min(least[-5:]) > 0.7 * 8 * 64 / 4
    before = layer.bias.clone()
    layer.router.requires_grad_(False)
    layer.rebalance(torch.tensor([9, 0, 0, 0]))
    assert torch.equal(layer.bias, before)


def test_the_load_is_recorded_in_evaluation_and_not_counted():
    layer, x = make()
    with record_load(nn.ModuleDict({"a": layer.eval()})) as loads:
        layer(x)
    (counts,) = loads["a"]
    chosen = layer.choose(layer.router(x).softmax(-1))
    assert counts.tolist() == chosen.flatten().bincount(minlength=5).tolist()
    assert not layer.load.any() and layer.record is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (dict(active=6), "active=6.*1 to 5 active ones"),
        (dict(scale=0.0), "scale=0.0 balance_rate=0.001: expected numbers, the first above 0"),
        (dict(balance_rate=-1.0), "balance_rate=-1.0: expected numbers.*the other not below"),
        (dict(groups=2), "groups=2 active_groups=1: expected a divisor of experts=5"),
        (dict(experts=8, groups=4, active=3), "active=3: 1 of 4 groups have 2 experts"),
    ],
)
def test_sizes_that_do_not_go_together(options, said):
    with pytest.raises(ValueError, match=said):
        make(**options)
