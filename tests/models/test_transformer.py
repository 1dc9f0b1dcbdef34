"""The Transformer against torch's own, its cache, its padding and its causality."""

import pytest
import torch
from beams import check_selected_beams
from torch import nn

from zoo.models.transformer import Transformer

VOCABULARY, LENGTH = 20, 12
KINDS = [
    dict(positions="sinusoidal"),
    dict(positions="learned", norm="rms", activation="swiglu", tie=False),
    dict(positions="rotary", pre_norm=False, decoder_depth=1),
]
every_kind = pytest.mark.parametrize("options", KINDS, ids=lambda o: o["positions"])


def make(**options):
    torch.manual_seed(0)
    options = dict(width=16, depth=2, heads=4, inner=24, dropout=0.3) | options
    model = Transformer(VOCABULARY, pad_id=0, max_length=LENGTH, **options).double().eval()
    for parameter in model.parameters():  # biases and scales away from 0 and 1
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


def sentences(count=3):
    """Sources of 7, 5 and 6 tokens, padded to 7; targets of 6."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(1, VOCABULARY, (count, 7), generator=generator)
    source[1, 5:] = source[2, 6:] = 0
    return source, torch.randint(1, VOCABULARY, (count, 6), generator=generator)


def test_equals_the_torch_module_of_the_paper():
    """Post-norm, ReLU; the same weights in torch.nn.Transformer."""
    model = make(pre_norm=False)
    reference = nn.Transformer(16, 4, 2, 2, 24, 0.0, batch_first=True, dtype=torch.float64).eval()
    reference.encoder.norm = reference.decoder.norm = None  # not in the paper
    for block, layer in zip(
        [*model.encoder, *model.decoder], [*reference.encoder.layers, *reference.decoder.layers]
    ):
        copy_attention(block.attention, layer.self_attn)
        copy_linear(block.feed_forward.up, layer.linear1)
        copy_linear(block.feed_forward.down, layer.linear2)
        norms = [block.attention_norm, block.feed_forward_norm]
        if block.cross is not None:
            copy_attention(block.cross, layer.multihead_attn)
            norms.insert(1, block.cross_norm)
        for k, norm in enumerate(norms, 1):
            copy_linear(norm, getattr(layer, f"norm{k}"))
    source, target = sentences()
    hidden = reference(
        model.source(source),
        model.target(target),
        tgt_mask=torch.ones(6, 6, dtype=torch.bool).triu(1),
        src_key_padding_mask=source == 0,
        memory_key_padding_mask=source == 0,
    )
    expected = hidden @ model.target.tokens.weight.T
    torch.testing.assert_close(model(source, target), expected, rtol=1e-10, atol=1e-10)


def copy_linear(layer, reference):
    reference.weight.data.copy_(layer.weight)
    reference.bias.data.copy_(layer.bias)


def copy_attention(layer, reference):
    projections = [layer.qkv] if hasattr(layer, "qkv") else [layer.q, layer.kv]
    reference.in_proj_weight.data.copy_(torch.cat([p.weight for p in projections]))
    reference.in_proj_bias.data.copy_(torch.cat([p.bias for p in projections]))
    copy_linear(layer.out, reference.out_proj)


def test_embeddings_are_scaled_and_know_their_position():
    """Section 3.4 and 3.5 of the paper, sines then cosines."""
    model = make()
    x = model.source(torch.tensor([[3, 3]]))[0]
    rates = 10_000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    for position in (0, 1):
        wave = torch.cat([(position * rates).sin(), (position * rates).cos()])
        expected = 4 * model.source.tokens.weight[3] + wave
        torch.testing.assert_close(x[position], expected, rtol=1e-6, atol=1e-6)


@every_kind
def test_padding_of_the_source_changes_nothing(options):
    model = make(**options)
    source, target = sentences()
    wider = nn.functional.pad(source, (0, 4))
    expected = model(source, target)
    torch.testing.assert_close(model(wider, target), expected, rtol=1e-12, atol=1e-12)
    alone = model(source[1:2, :5], target[1:2])
    torch.testing.assert_close(alone, expected[1:2], rtol=1e-12, atol=1e-12)


@every_kind
def test_later_targets_change_no_earlier_logit(options):
    model = make(**options)
    source, target = sentences()
    changed = target.clone()
    changed[:, 4:] = changed[:, 4:] % (VOCABULARY - 1) + 1
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@every_kind
@pytest.mark.parametrize("steps", [[1] * 6, [3, 1, 2]])
def test_decoding_with_the_cache_gives_the_same(options, steps):
    model = make(**options)
    source, target = sentences()
    memory, cache = model.encode(source), model.new_cache(len(source))
    parts = [model.decode(part, memory, cache) for part in target.split(steps, dim=1)]
    expected = model(source, target)
    torch.testing.assert_close(torch.cat(parts, 1), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model.decode(target, memory), expected, rtol=1e-12, atol=1e-12)


@every_kind
def test_beams_are_chosen_among_by_selecting(options):
    check_selected_beams(make(**options), *sentences())


def test_logits_at_given_positions():
    model = make()
    source, target = sentences()
    at = torch.tensor([0, 7, 17])
    torch.testing.assert_close(model(source, target, at), model(source, target).flatten(0, 1)[at])


@pytest.mark.parametrize("tie, matrices", [(True, 1), (False, 3)])
def test_ties_three_matrices_into_one(tie, matrices):
    model = make(tie=tie)
    shape = (VOCABULARY, 16)
    assert sum(p.shape == shape for p in model.parameters()) == matrices


def test_more_tokens_than_positions_are_refused():
    model = make()
    source = torch.ones(1, LENGTH + 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="13 tokens, expected at most 12"):
        model.encode(source)
