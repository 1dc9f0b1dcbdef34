"""Recording of attention weights: those that are used, only inside the context manager."""

import torch
from torch import nn

from zoo.layers.attention import Attention
from zoo.layers.recording import record_attention


def test_recorded_weights_are_those_that_are_used():
    torch.manual_seed(0)
    layer = Attention(16, 4, kv_heads=2, causal=True).double().eval()
    model = nn.ModuleDict({"a": layer, "b": nn.Linear(2, 2)})
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    mask = (torch.arange(5) < torch.tensor([5, 3])[:, None])[:, None, None]
    with record_attention(model) as maps:
        y = layer(x, mask=mask)
        layer(x[:, :2])
    assert list(maps) == ["a"] and [m.shape for m in maps["a"]] == [(2, 4, 5, 5), (2, 4, 2, 2)]
    weights = maps["a"][0].double()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights.triu(1) == 0).all() and (weights[1, :, :, 3:] == 0).all()
    v = layer.qkv(x)[..., -8:].view(2, 5, 2, 4).transpose(1, 2).repeat_interleave(2, dim=1)
    output = layer.out((weights @ v).transpose(1, 2).reshape(2, 5, 16))
    torch.testing.assert_close(output, y, rtol=1e-5, atol=1e-6)
    layer(x)
    assert len(maps["a"]) == 2  # nothing is recorded after the context


def test_recording_ends_with_an_error_too():
    layer = Attention(4, 2)
    try:
        with record_attention(layer):
            raise KeyError
    except KeyError:
        pass
    assert layer.record is None
