"""A Transformer block against its equations, pre-norm and post-norm."""

import pytest
import torch

from zoo.layers.block import Block
from zoo.layers.cache import KVCache


def make(**options):
    torch.manual_seed(0)
    block = Block(8, 2, **options).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return block.eval()


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("cross", [True, False])
def test_equals_its_equations(pre_norm, cross):
    block = make(pre_norm=pre_norm, cross=cross, causal=True)
    x, memory = torch.randn(2, 5, 8).double(), torch.randn(2, 3, 8).double()
    mask = torch.tensor([[True] * 3, [True, False, False]])[:, None, None]
    parts = [(block.attention_norm, block.attention)]
    if cross:
        parts.append((block.cross_norm, lambda h: block.cross(h, memory, mask)))
    parts.append((block.feed_forward_norm, block.feed_forward))
    expected = x
    for norm, part in parts:
        expected = expected + part(norm(expected)) if pre_norm else norm(expected + part(expected))
    actual = block(x, memory=memory, memory_mask=mask) if cross else block(x)
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_caches_of_both_attentions(pre_norm):
    block = make(pre_norm=pre_norm, cross=True, causal=True, kv_heads=1)
    x, memory = torch.randn(2, 5, 8).double(), torch.randn(2, 3, 8).double()
    whole = block(x, memory=memory)
    own, other = KVCache(5), KVCache(3)
    steps = [
        block(x[:, t : t + 1], cache=own, memory=memory if t == 0 else None, memory_cache=other)
        for t in range(5)
    ]
    torch.testing.assert_close(torch.cat(steps, dim=1), whole)


def test_dropout_of_everything_leaves_the_residual_stream():
    block = make(dropout=1.0, cross=True).train()
    x = torch.randn(2, 5, 8).double()
    assert torch.equal(block(x, memory=x), x)
    assert not torch.equal(block.eval()(x, memory=x), x)


def test_without_bias_there_is_none():
    block = Block(8, 2, cross=True, bias=False)
    assert not [name for name, _ in block.named_parameters() if name.endswith("bias")]
