"""Attention against a loop over its definition and torch's own module, in float64."""

import math

import pytest
import torch
from torch import nn

from zoo.kernels import attention as kernel
from zoo.layers.attention import Attention
from zoo.layers.cache import KVCache
from zoo.layers.positions import Rotary
from zoo.layers.recording import record_attention


def make(width=12, heads=3, **options):
    torch.manual_seed(0)
    return Attention(width, heads, **options).double().eval()


@torch.no_grad()
def by_definition(layer, x, memory=None, allowed=None):
    """softmax(q k / sqrt E) v, a query, a head at a time; allowed (B, T, S)."""
    size, width = layer.head_width, x.shape[-1]
    shared = layer.heads // layer.kv_heads
    if memory is None:
        memory = x
        q, k, v = layer.qkv(x).split([width, *[layer.kv_heads * size] * 2], dim=-1)
    else:
        q = layer.q(x)
        k, v = layer.kv(memory).split([layer.kv_heads * size] * 2, dim=-1)
    out = torch.zeros_like(x)
    for b in range(x.shape[0]):
        for t in range(x.shape[1]):
            for h in range(layer.heads):
                own = slice(h * size, (h + 1) * size)
                shared_head = slice(h // shared * size, (h // shared + 1) * size)
                scores = [
                    float(q[b, t, own] @ k[b, s, shared_head]) / math.sqrt(size)
                    if allowed is None or allowed[b, t, s]
                    else -math.inf
                    for s in range(memory.shape[1])
                ]
                weights = torch.tensor(scores, dtype=x.dtype).softmax(0)
                out[b, t, own] = weights @ v[b, :, shared_head]
    return layer.out(out)


@pytest.mark.parametrize("kv_heads", [None, 2, 1])
@pytest.mark.parametrize("causal", [False, True])
def test_equals_its_definition(kv_heads, causal):
    layer = make(heads=4, width=16, kv_heads=kv_heads, causal=causal)
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    allowed = torch.ones(2, 5, 5, dtype=torch.bool)
    torch.testing.assert_close(
        layer(x), by_definition(layer, x, allowed=allowed.tril() if causal else allowed)
    )
    # with a mask: sequences of 5 and 3 tokens, the rest padding
    mask = torch.arange(5) < torch.tensor([5, 3])[:, None]
    both = allowed.tril() & mask[:, None] if causal else allowed & mask[:, None]
    torch.testing.assert_close(
        layer(x, mask=mask[:, None, None]), by_definition(layer, x, allowed=both)
    )


@pytest.mark.parametrize("kv_heads", [None, 1])
def test_attention_to_another_sequence(kv_heads):
    layer = make(cross=True, kv_heads=kv_heads)
    x, memory = torch.randn(2, 3, 12).double(), torch.randn(2, 5, 12).double()
    mask = torch.arange(5) < torch.tensor([5, 2])[:, None]
    expected = by_definition(layer, x, memory, mask[:, None].expand(-1, 3, -1))
    cache = KVCache(9)
    torch.testing.assert_close(layer(x, memory, mask[:, None, None], cache=cache), expected)
    # those of the memory are computed once
    again = layer(x, None, mask[:, None, None], cache=cache)
    torch.testing.assert_close(again, expected)


def test_equals_torch_multihead_attention():
    layer = make(width=12, heads=3)
    reference = nn.MultiheadAttention(12, 3, batch_first=True).double()
    reference.in_proj_weight.data, reference.in_proj_bias.data = (
        layer.qkv.weight.data,
        layer.qkv.bias.data,
    )
    reference.out_proj.load_state_dict(layer.out.state_dict())
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    expected, weights = reference(x, x, x, average_attn_weights=False)
    with record_attention(nn.ModuleDict({"layer": layer})) as maps:
        torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(maps["layer"][0].double(), weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("kv_heads", [None, 2])
def test_a_cache_changes_nothing_however_the_tokens_are_split(rotary, kv_heads):
    layer = make(width=16, heads=4, kv_heads=kv_heads, causal=True, qk_norm="rms")
    positions = Rotary(9, 4).double()
    x = torch.randn(2, 9, 16, dtype=torch.float64)
    whole = layer(x, rotation=positions(0, 9) if rotary else None)
    for parts in ([1] * 9, [4, 1, 1, 3], [9], [1, 8]):
        cache, start, outputs = KVCache(9), 0, []
        for size in parts:
            rotation = positions(start, size) if rotary else None
            outputs.append(layer(x[:, start : start + size], rotation=rotation, cache=cache))
            start += size
        torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
        assert cache.length == 9
    with pytest.raises(ValueError, match="10 tokens, but the cache holds 9"):
        layer(x[:, :1], cache=cache)
    assert cache.length == 9


@pytest.mark.parametrize("window", [1, 4, 8, 9])
def test_a_window_leaves_out_what_lies_further_back(window):
    layer = make(causal=True, window=window)
    x, place = torch.randn(2, 9, 12, dtype=torch.float64), torch.arange(9)
    back = place[:, None] - place
    near = ((back >= 0) & (back < window)).expand(2, -1, -1)
    expected = by_definition(layer, x, allowed=near)
    torch.testing.assert_close(layer(x), expected)
    for parts in ([1] * 9, [4, 1, 1, 3], [1, 8]):
        cache = KVCache(9, window)
        outputs = [layer(part, cache=cache) for part in x.split(parts, dim=1)]
        torch.testing.assert_close(torch.cat(outputs, dim=1), expected)
    padding = torch.arange(9) < torch.tensor([9, 5])[:, None]
    both = near & padding[:, None]
    both |= torch.eye(9, dtype=torch.bool)  # a row of nothing has no softmax
    padded = layer(x, mask=padding[:, None, None] | torch.eye(9, dtype=torch.bool))
    torch.testing.assert_close(padded, by_definition(layer, x, allowed=both))


def test_heads_of_any_width_and_biases_apart():
    layer = make(width=12, heads=2, kv_heads=1, head_width=10, out_bias=False, causal=True)
    assert layer.qkv.weight.shape == (40, 12) and layer.out.weight.shape == (12, 20)
    assert layer.qkv.bias is not None and layer.out.bias is None
    assert layer(torch.randn(2, 5, 12).double()).shape == (2, 5, 12)


def test_a_cache_can_be_reordered():
    layer = make(causal=True)
    x = torch.randn(3, 6, 12, dtype=torch.float64)
    index = torch.tensor([2, 0, 0, 1])
    cache = KVCache(6)
    layer(x[:, :5], cache=cache)
    cache.select(index)
    outputs = layer(x[index, 5:], cache=cache)
    torch.testing.assert_close(outputs, layer(x)[index, 5:])


@pytest.mark.parametrize("norm", ["rms", "layer"])
def test_normalised_queries_and_keys(norm):
    """The scale of neither matters, and scores are at most the root of the head's width."""
    layer = make(qk_norm=norm)
    nn.init.zeros_(layer.qkv.bias)
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    before = layer(x)
    layer.qkv.weight.data[:24] *= 1000.0
    torch.testing.assert_close(layer(x), before, rtol=1e-3, atol=1e-4)  # their epsilons differ
    q, k, v = layer.qkv(x).view(2, 5, 3, 3, 4).permute(2, 0, 3, 1, 4)
    if norm == "layer":
        q, k = q - q.mean(-1, keepdim=True), k - k.mean(-1, keepdim=True)
    q, k = (x / x.square().mean(-1, keepdim=True).sqrt() for x in (q, k))
    y = (q @ k.mT / 2).softmax(-1) @ v
    torch.testing.assert_close(layer(x), layer.out(y.transpose(1, 2).reshape(2, 5, 12)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_bf16_on_a_cpu_is_near_float64(masked, causal):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 6, 8, dtype=torch.float64) for _ in range(3))
    mask = (torch.arange(6) < torch.tensor([6, 4])[:, None])[:, None, None] if masked else None
    if masked and causal:
        mask, causal = mask & torch.ones(6, 6, dtype=torch.bool).tril(), False
    packed = [x.transpose(1, 2) for x in (q, k, v)]
    exact = kernel(packed, 3, 3, mask, causal)
    outputs = kernel([x.bfloat16() for x in packed], 3, 3, mask, causal)
    assert outputs.dtype == torch.bfloat16
    torch.testing.assert_close(outputs.double(), exact, rtol=0.05, atol=0.05)


def test_heads_must_divide():
    for options in ({"width": 10, "heads": 3}, {"width": 12, "heads": 4, "kv_heads": 3}):
        with pytest.raises(ValueError, match="must divide"):
            Attention(**options)
