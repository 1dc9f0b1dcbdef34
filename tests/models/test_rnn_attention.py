"""Bahdanau's model against its equations, its padding, its carried state."""

import pytest
import torch
from beams import check_selected_beams
from torch import nn

from zoo.layers.recording import record_attention
from zoo.models.rnn_attention import RnnAttention

VOCABULARY = 20


def make(**options):
    torch.manual_seed(0)
    options = dict(width=6, embedding=5, attention=4, dropout=0.3) | options
    model = RnnAttention(VOCABULARY, pad_id=0, **options).double().eval()
    for parameter in model.parameters():
        parameter.data.copy_(0.5 * torch.randn_like(parameter))
    return model


def sentences(count=3):
    """Sources of 7, 5 and 6 tokens, padded to 7; targets of 6."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(1, VOCABULARY, (count, 7), generator=generator)
    source[1, 5:] = source[2, 6:] = 0
    return source, torch.randint(1, VOCABULARY, (count, 6), generator=generator)


def gru(x, h, w, u, b, c):
    """One step of a gated recurrent unit: reset, update, candidate."""
    xr, xz, xn = (w @ x + b).chunk(3)
    hr, hz, hn = (u @ h + c).chunk(3)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    return (1 - z) * torch.tanh(xn + r * hn) + z * h


def by_the_equations(model, source, target):
    """Logits (T, V) and weights (T, S) of one sentence without padding, word by word."""
    p = dict(model.named_parameters())
    width = model.begin.in_features

    def encoder(suffix):
        return [
            p[f"encoder.{n}_l0{suffix}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]

    words, length = model.source.weight[source], len(source)
    forward, backward = [], []
    h = torch.zeros(width, dtype=torch.float64)
    for j in range(length):
        h = gru(words[j], h, *encoder(""))
        forward.append(h)
    h = torch.zeros(width, dtype=torch.float64)
    for j in reversed(range(length)):
        h = gru(words[j], h, *encoder("_reverse"))
        backward.insert(0, h)
    notes = [torch.cat(pair) for pair in zip(forward, backward)]
    w, u, v = model.attention.query, model.attention.key, model.attention.score
    state = torch.tanh(p["begin.weight"] @ backward[0] + p["begin.bias"])
    cell = [getattr(model.cell, n) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    logits, attention = [], []
    for token in target:
        scores = torch.stack(
            [
                (v.weight @ torch.tanh(w.weight @ state + w.bias + u.weight @ h)).squeeze()
                for h in notes
            ]
        )
        alpha = scores.exp() / scores.exp().sum()
        context = sum(a * h for a, h in zip(alpha, notes))
        word = model.target.weight[token]
        state = gru(torch.cat([word, context]), state, *cell)
        t = torch.tanh(p["out.weight"] @ torch.cat([state, context, word]) + p["out.bias"])
        logits.append(p["head.weight"] @ t + p["head.bias"])
        attention.append(alpha)
    return torch.stack(logits), torch.stack(attention)


@pytest.mark.parametrize("tie", [True, False])
def test_equals_its_equations(tie):
    model = make(tie=tie)
    source, target = sentences()
    with record_attention(model) as maps:
        logits = model(source, target)
    assert list(maps) == ["attention"] and maps["attention"][0].shape == (3, 1, 6, 7)
    for k, length in enumerate([7, 5, 6]):
        expected, attention = by_the_equations(model, source[k, :length], target[k])
        torch.testing.assert_close(logits[k], expected, rtol=1e-10, atol=1e-10)
        actual = maps["attention"][0][k, 0]
        torch.testing.assert_close(actual[:, :length], attention, rtol=1e-10, atol=1e-10)
        assert not actual[:, length:].any()


def test_weights_are_collected_only_on_request():
    model = make()
    with record_attention(model):
        model(*sentences())
    model(*sentences())
    assert model.attention.record is None


def test_padding_of_the_source_changes_nothing():
    model = make()
    source, target = sentences()
    wider = nn.functional.pad(source, (0, 4))
    expected = model(source, target)
    torch.testing.assert_close(model(wider, target), expected, rtol=1e-12, atol=1e-12)


def test_later_targets_change_no_earlier_logit():
    model = make()
    source, target = sentences()
    changed = target.clone()
    changed[:, 4:] = changed[:, 4:] % (VOCABULARY - 1) + 1
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :4], after[:, :4], rtol=1e-12, atol=1e-12)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("steps", [[1] * 6, [3, 1, 2]])
def test_decoding_with_the_state_gives_the_same(steps):
    model = make()
    source, target = sentences()
    memory, cache = model.encode(source), model.new_cache(len(source))
    parts = [model.decode(part, memory, cache) for part in target.split(steps, dim=1)]
    expected = model(source, target)
    torch.testing.assert_close(torch.cat(parts, 1), expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(model.decode(target, memory), expected, rtol=1e-12, atol=1e-12)


def test_beams_are_chosen_among_by_selecting():
    check_selected_beams(make(), *sentences())


def test_logits_at_given_positions():
    model = make()
    source, target = sentences()
    at = torch.tensor([0, 7, 17])
    torch.testing.assert_close(model(source, target, at), model(source, target).flatten(0, 1)[at])
