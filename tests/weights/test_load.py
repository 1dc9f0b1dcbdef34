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
        (lambda w: w.pop("body.bias"), r"missing: body.bias.*init.skip=\[body.bias\]"),
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


def network(positions=4, tokens=40, width=6, blocks=3):
    torch.manual_seed(0)
    return nn.ModuleDict(
        {
            "embedding": nn.Embedding(tokens, width),
            "position": nn.Embedding(positions, width),
            "blocks": nn.ModuleList(nn.Linear(width, width) for _ in range(blocks)),
            "head": nn.Linear(width, tokens),
        }
    )


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        (dict(positions=8), "init.skip=.position. keeps initial values; init.resize=.position. "),
        (dict(positions=2), "init.skip=.position. keeps initial values$"),  # cuts
        (dict(tokens=42), "init.resize=.embedding,head. "),
        (dict(tokens=90), "init.skip=.embedding,head. keeps initial values$"),  # another vocabulary
        (dict(blocks=4), r"init.skip=.blocks\.3. keeps initial values$"),
        (dict(positions=8, blocks=4), r"init.resize=.position. init.skip=.blocks\.3. keeps"),
        (dict(width=8), "most of the model would be left out: leave its sizes"),
    ],
)
def test_the_hint_names_all_parts_and_cuts_none_that_are_trained(changed, hint):
    weights = network().state_dict()
    with pytest.raises(UserError, match=hint):
        load_weights(network(**changed), weights, "here", [], [])


def test_what_fits_is_not_among_the_parts_to_skip():
    """The parts of a model may be whole networks, as those of a GAN."""
    net, other = (nn.ModuleDict({"a": model(n), "b": model(n)}) for n in (5, 3))
    with pytest.raises(UserError, match=r"init.skip=\[a.head,b.head\] keeps"):
        load_weights(net, other.state_dict(), "here", [], [])
    report = load_weights(net, other.state_dict(), "here", ["a.head", "b.head"], [])
    assert len(report.loaded) == 4 and len(report.skipped) == 4


def test_all_parts_to_skip_are_named_at_once():
    net, weights = (
        model(5),
        tensors(3) | {"queue": torch.ones(2), "projector.0.weight": torch.ones(2)},
    )
    with pytest.raises(UserError, match=r"init.skip=\[queue,projector,head\] keeps"):
        load_weights(net, weights, "here", [], [])
    load_weights(net, weights, "here", ["queue", "projector.0", "head"], [])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.ones(4, dtype=torch.int8), "body.bias is int8: quantised weights are not read"),
        (torch.ones(4).to(torch.float8_e4m3fn), "body.bias is float8_e4m3fn: quantised"),
        (torch.full((4,), torch.nan), "body.bias holds values that are not finite"),
        (torch.full((4,), 1e300, dtype=torch.float64), "body.bias holds values that are not fin"),
    ],
)
def test_numbers_that_are_no_weights(value, message):
    net = model()
    with pytest.raises(UserError, match=message):
        load_weights(net, tensors() | {"body.bias": value}, "here", [], [])
    assert torch.equal(net["body"].bias, model()["body"].bias)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(dtype):
    net, weights = model(), {name: (t + 1).to(dtype) for name, t in tensors().items()}
    load_weights(net, weights, "here", [], [])
    assert all(torch.equal(t, weights[name].float()) for name, t in net.state_dict().items())
