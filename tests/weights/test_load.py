"""Weights into a model: what fits, what is skipped or resized, what is refused."""

import pytest
import torch
from torch import nn

from zoo.errors import UserError
from zoo.weights.load import load_weights, matches


def model(outputs=3):
    torch.manual_seed(outputs)
    return nn.ModuleDict({"body": nn.Linear(2, 4), "head": nn.Linear(4, outputs)})


def tensors(outputs=3):
    return {name: t.clone() for name, t in model(outputs).state_dict().items()}


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("head.weight", "head", True),
        ("head", "head", True),
        ("header.weight", "head", False),
        ("blocks.0.up.bias", "*.bias", True),
        ("blocks.1.up.bias", "blocks.0", False),
    ],
)
def test_patterns(name, pattern, expected):
    assert matches(name, [pattern]) is expected


def test_everything_is_loaded():
    net, weights = model(), {name: t + 1 for name, t in tensors().items()}
    report = load_weights(net, weights, "here", [], [])
    assert report.loaded == list(weights)
    assert all(torch.equal(t, weights[name]) for name, t in net.state_dict().items())


def test_what_is_skipped_keeps_its_values():
    net = model(5)
    before = net["head"].weight.clone()
    report = load_weights(net, tensors(3), "here", ["head"], [])
    assert report.skipped == ["head.weight", "head.bias"]
    assert torch.equal(net["head"].weight, before)
    assert torch.equal(net["body"].weight, tensors(3)["body.weight"])


def test_what_is_resized_has_the_rows_that_both_have():
    net, weights = model(5), tensors(3)
    before = net["head"].weight.clone()
    assert load_weights(net, weights, "here", [], ["head"]).resized == ["head.weight", "head.bias"]
    assert torch.equal(net["head"].weight, torch.cat([weights["head.weight"], before[3:]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("body.bias"), r"missing: body.bias.*init.skip=\[body\]"),
        (lambda w: w.update(more=torch.ones(1)), "unexpected: more"),
        (lambda w: w.update({"head.bias": torch.ones(7)}), "reshaped: head.bias 7 for 3"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(change, message):
    net, weights = model(), {name: t + 1 for name, t in tensors().items()}
    change(weights)
    with pytest.raises(UserError, match=f"init.from=here does not fit.*{message}"):
        load_weights(net, weights, "here", [], [])
    assert all(torch.equal(t, tensors()[name]) for name, t in net.state_dict().items())


def test_a_pattern_that_matches_nothing_is_refused():
    with pytest.raises(UserError, match="init.skip: 'haed' matches no parameter"):
        load_weights(model(), tensors(), "here", ["haed"], [])
