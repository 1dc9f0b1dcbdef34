"""Mamba: its state as a cache, its initialisation, autocast; weights against `transformers` are in
tests/weights/test_mamba.py."""

import pytest
import torch
import torch.nn.functional as F

from zoo.errors import UserError
from zoo.inference.generation import Sampling, generate
from zoo.kernels import reference_kernels
from zoo.models.mamba import Mamba
from zoo.registry import MODELS

PAD = 0


def make(seed=0, **options):
    torch.manual_seed(seed)
    model = Mamba(11, **dict(width=8, depth=2, state=3) | options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def tokens(rows=3, length=9):
    torch.manual_seed(1)
    return torch.randint(1, 11, (rows, length))


@pytest.mark.parametrize("parts", [(1,) * 9, (2, 1, 6), (9,)])
def test_the_cache_carries_the_state(parts):
    model, x = make(), tokens()
    cache = model.new_cache(len(x))
    logits = torch.cat([model(part, cache) for part in x.split(parts, dim=1)], dim=1)
    torch.testing.assert_close(logits, model(x), rtol=1e-12, atol=1e-12)
    with reference_kernels():
        torch.testing.assert_close(logits, model(x), rtol=1e-12, atol=1e-12)
    assert [past.length for past in cache] == [9, 9]


def test_the_cache_has_one_size_however_long_the_text():
    model, x = make(), tokens(length=40)
    cache = model.new_cache(len(x))
    for part in x.split((5, 34, 1), dim=1):
        model(part, cache)
        held = [t.untyped_storage().nbytes() for p in cache for t in (p.recent, p.state)]
        assert sum(held) == 2 * len(x) * 16 * (3 + 4 - 1) * 8  # blocks, B, E, N + K - 1, float64


def test_select_reorders_the_batch():
    model, x = make(), tokens()
    cache, rows = model.new_cache(3), torch.tensor([2, 0, 2])
    model(x[:, :4], cache)
    for past in cache:
        past.select(rows)
    torch.testing.assert_close(model(x[rows, 4:], cache), model(x[rows])[:, 4:])


def test_no_token_sees_a_later_one():
    model, x = make(), tokens()
    changed = x.clone()
    changed[:, 5:] = 1 + changed[:, 5:] % 10
    before, after = model(x), model(changed)
    assert torch.equal(before[:, :5], after[:, :5]) and not torch.equal(before[:, 5], after[:, 5])


def test_generates_the_same_with_and_without_its_state():
    model, prompts = make(), tokens(rows=2, length=4).tolist()
    ways = [list(generate(model, prompts, 12, Sampling(), cached=cached)) for cached in (1, 0)]
    assert ways[0] == ways[1]


def test_summed_loss_of_targets():
    model, x = make(), tokens()
    target = x.roll(-1, 1).flatten()
    expected = F.cross_entropy(model(x).flatten(0, 1), target, reduction="sum")
    torch.testing.assert_close(model(x, targets=target), expected)


def test_padding_changes_no_class():
    model, x = make(num_outputs=3, pad_id=PAD), tokens()
    padded = torch.cat([x, torch.full((3, 4), PAD)], dim=1)
    torch.testing.assert_close(model(padded), model(x))


def test_bf16_is_close_with_and_without_a_cache():
    torch.manual_seed(0)
    model, x = Mamba(11, width=32, depth=2).eval(), tokens()
    with torch.no_grad():
        exact = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough, cache = model(x), model.new_cache(len(x))
            logits = torch.cat([model(part, cache) for part in x.split(1, dim=1)], dim=1)
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.03)
    torch.testing.assert_close(logits.float(), exact, atol=0.03, rtol=0.03)


def test_slow_states_fade_under_weights_in_16_bits_too():
    """A decay of 0.999 would be 1 in bf16, and a constant text be added up for ever."""

    def slow():
        torch.manual_seed(0)
        model = Mamba(11, width=8, depth=1, state=2).eval()
        with torch.no_grad():
            model.blocks[0].log_rates.zero_()
            model.blocks[0].step.weight.zero_()
            model.blocks[0].step.bias.fill_(-7)  # delta: 0.0009
            model.embedding.weight.mul_(50)
        return model

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)  # as init.dtype=bf16 does
    try:
        rough = slow()
    finally:
        torch.set_default_dtype(before)
    exact = slow()
    exact.load_state_dict(rough.state_dict())
    x, cache = torch.full((1, 4000), 3), rough.new_cache(1)
    with torch.no_grad():
        expected, found = exact(x)[0, -1], rough(x)[0, -1].float()
        rough(x[:, :-1], cache)
        last = rough(x[:, -1:], cache)[0, -1].float()
        states = exact.new_cache(1)
        exact(x, states)
    torch.testing.assert_close(cache[0].state.float(), states[0].state, rtol=0.02, atol=0.02)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))
    torch.testing.assert_close(last, found)


def test_begins_as_the_authors_do():
    torch.manual_seed(0)
    model = Mamba(11, width=64, depth=4, state=5)
    for block in model.blocks:
        rates = block.log_rates.exp().view(5, 128)
        torch.testing.assert_close(rates, torch.arange(1.0, 6)[:, None].expand(5, 128))
        delta = F.softplus(block.step.bias)
        assert 0.0009 < delta.min() < 0.002 and 0.05 < delta.max() < 0.11
        bound = 128**-0.5 / 2  # of torch's own, over sqrt(depth)
        assert 0.98 * bound < block.out.weight.abs().max() <= bound
    assert model.head.weight is model.embedding.weight
    assert block.log_rates.ndim == 1  # no optimizer decays or orthogonalises it


def test_mistakes_are_reported():
    with pytest.raises(UserError, match="model.depth"):
        MODELS.build({"name": "mamba", "depth": 0}, vocab_size=11)
