"""Recurrent networks: the equations of each cell, the hidden state as a cache, padding."""

import pytest
import torch

from zoo.errors import UserError
from zoo.models.rnn import RNN
from zoo.registry import MODELS

CELLS = ("rnn", "lstm", "gru")
every_cell = pytest.mark.parametrize("cell", CELLS)
PAD = 0


def make(cell, seed=0, **options):
    torch.manual_seed(seed)
    model = RNN(11, cell=cell, width=6, **options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases that are not zero
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def sequences(lengths=(7, 3, 5), seed=1, width=None):
    """Tokens 1..10, filled up with PAD."""
    torch.manual_seed(seed)
    rows = torch.full((len(lengths), width or max(lengths)), PAD)
    for row, length in zip(rows, lengths):
        row[:length] = torch.randint(1, 11, (length,))
    return rows


def step(cell, layer, x, h, c):
    """One step of one layer by its paper's equations; (h, c) after it."""
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[cell]
    into = [
        w @ x + b for w, b in zip(layer.weight_ih_l0.chunk(gates), layer.bias_ih_l0.chunk(gates))
    ]
    recurrent = [
        w @ h + b for w, b in zip(layer.weight_hh_l0.chunk(gates), layer.bias_hh_l0.chunk(gates))
    ]
    if cell == "rnn":
        return torch.tanh(into[0] + recurrent[0]), c
    if cell == "lstm":
        i, f, g, o = (a + b for a, b in zip(into, recurrent))
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    r, z = ((a + b).sigmoid() for a, b in zip(into[:2], recurrent[:2]))
    new = torch.tanh(into[2] + r * recurrent[2])
    return (1 - z) * new + z * h, c


def run(cell, layer, xs):
    """States (T, D) of a layer over inputs (T, D)."""
    h = c = torch.zeros(layer.hidden_size, dtype=torch.float64)
    states = []
    for x in xs:
        h, c = step(cell, layer, x, h, c)
        states.append(h)
    return torch.stack(states)


@every_cell
def test_equals_its_equations(cell):
    model, tokens = make(cell, depth=2), sequences()
    logits = model(tokens)
    for row, expected in zip(tokens, logits):
        x = model.embedding.weight[row]
        for layer in model.layers:
            x = run(cell, layer, x)
        torch.testing.assert_close(x @ model.embedding.weight.T + model.head.bias, expected)


@every_cell
@pytest.mark.parametrize("pool", ["last", "mean"])
def test_reads_in_both_directions(cell, pool):
    """By the equations, one sequence at a time and without padding."""
    model = make(cell, depth=2, bidirectional=True, num_outputs=3, pad_id=PAD, pool=pool)
    tokens = sequences(width=9)
    for row, expected in zip(tokens, model(tokens)):
        x = model.embedding.weight[row[row != PAD]]
        for forward_layer, reverse_layer in zip(model.layers, model.backwards):
            forward_states = run(cell, forward_layer, x)
            reverse_states = run(cell, reverse_layer, x.flip(0))
            x = torch.cat([forward_states, reverse_states.flip(0)], dim=1)
        last = torch.cat([forward_states[-1], reverse_states[-1]])
        pooled = x.mean(0) if pool == "mean" else last
        torch.testing.assert_close(model.head(pooled), expected)


@every_cell
@pytest.mark.parametrize("options", [{}, {"pool": "mean"}, {"bidirectional": True}])
def test_padding_changes_nothing(cell, options):
    model = make(cell, num_outputs=3, pad_id=PAD, **options)
    tokens = sequences()
    alone = torch.cat([model(row[row != PAD][None]) for row in tokens])
    torch.testing.assert_close(model(tokens), alone)
    wider = torch.cat([tokens, torch.full((len(tokens), 4), PAD)], dim=1)
    torch.testing.assert_close(model(wider), alone)
    with torch.no_grad():
        model.embedding.weight[PAD] += 5.0
    torch.testing.assert_close(model(wider), alone)


def test_a_sequence_of_padding_only_is_classified():
    for options in ({}, {"bidirectional": True}, {"pool": "mean"}):
        model = make("lstm", num_outputs=3, pad_id=PAD, **options)
        assert model(torch.full((2, 4), PAD)).isfinite().all()


@every_cell
@pytest.mark.parametrize("parts", [(1,) * 7, (3, 4), (7,)])
def test_the_cache_carries_the_hidden_state(cell, parts):
    model, tokens = make(cell, depth=2), sequences((7, 7))
    cache = model.new_cache(len(tokens))
    logits = [model(part, cache) for part in tokens.split(parts, dim=1)]
    torch.testing.assert_close(torch.cat(logits, dim=1), model(tokens))
    assert [state.length for state in cache] == [7, 7]
    assert model.context is None


@every_cell
def test_select_reorders_the_batch(cell):
    model, tokens = make(cell, depth=2), sequences((7, 7, 7))
    cache = model.new_cache(3)
    model(tokens[:, :4], cache)
    index = torch.tensor([2, 0, 2])
    for state in cache:
        state.select(index)
    expected = model(tokens[index])[:, 4:]
    torch.testing.assert_close(model(tokens[index, 4:], cache), expected)


@every_cell
def test_bf16_is_close_with_and_without_a_cache(cell):
    torch.manual_seed(0)
    model = RNN(11, cell=cell, width=32).eval()
    tokens = sequences((7, 7))
    with torch.no_grad():
        exact = model(tokens)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(tokens)
            cache = model.new_cache(2)
            logits = torch.cat([model(part, cache) for part in tokens.split(1, dim=1)], dim=1)
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.03)
    torch.testing.assert_close(logits.float(), exact, atol=0.03, rtol=0.03)


@every_cell
def test_bf16_gradients_point_the_same_way(cell):
    torch.manual_seed(0)
    model, tokens = RNN(11, cell=cell, width=32), sequences((7, 7))
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model(tokens).float().logsumexp(-1).sum()
        gradient = torch.autograd.grad(loss, list(model.parameters()))
        gradients.append(torch.cat([g.flatten().float() for g in gradient]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999


def test_begins_with_open_forget_gates_and_orthogonal_recurrence():
    torch.manual_seed(0)
    for cell, gates in (("rnn", 1), ("lstm", 4), ("gru", 3)):
        layer = RNN(11, cell=cell, width=6).layers[0]
        for part in layer.weight_hh_l0.chunk(gates):
            torch.testing.assert_close(part @ part.T, torch.eye(6))
        bias = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(gates)
        assert [float(b.detach().sum()) for b in bias] == (
            [0, 6, 0, 0] if cell == "lstm" else [0] * gates
        )


def test_head_and_embedding_share_their_weights_if_tied():
    tied, apart = RNN(11, width=6), RNN(11, width=6, tie=False)
    assert tied.head.weight is tied.embedding.weight
    assert apart.head.weight is not apart.embedding.weight


def test_dropout_between_layers_and_before_the_head():
    torch.manual_seed(0)
    model = RNN(11, width=64, depth=2, dropout=0.5, tie=False).train()
    rates = []
    for module in (*model.layers, model.head):
        module.register_forward_pre_hook(
            lambda _, x: rates.append(float((x[0] == 0).float().mean()))
        )
    model(sequences((50, 50)))
    assert all(0.45 < rate < 0.55 for rate in rates) and len(rates) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bidirectional": True}, "bidirectional=true"),
        ({"depth": 0}, "expected 1 or more"),
        ({"cell": "ltsm"}, "expected one of rnn, lstm, gru"),
    ],
)
def test_mistakes_are_reported(options, message):
    with pytest.raises(UserError, match=message):
        MODELS.build({"name": "rnn", **options}, vocab_size=11)
