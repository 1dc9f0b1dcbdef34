"""Recurrent networks: each cell's equations, memory carried on, padding that has no say."""

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


def texts(lengths=(7, 3, 5), seed=1, width=None):
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
    back = [
        w @ h + b for w, b in zip(layer.weight_hh_l0.chunk(gates), layer.bias_hh_l0.chunk(gates))
    ]
    if cell == "rnn":
        return torch.tanh(into[0] + back[0]), c
    if cell == "lstm":
        i, f, g, o = (a + b for a, b in zip(into, back))
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c
    r, z = ((a + b).sigmoid() for a, b in zip(into[:2], back[:2]))
    new = torch.tanh(into[2] + r * back[2])
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
def test_predicts_as_its_equations_say(cell):
    model, tokens = make(cell, depth=2), texts()
    logits = model(tokens)
    for row, expected in zip(tokens, logits):
        x = model.embedding.weight[row]
        for layer in model.layers:
            x = run(cell, layer, x)
        torch.testing.assert_close(x @ model.embedding.weight.T + model.head.bias, expected)


@every_cell
@pytest.mark.parametrize("pool", ["last", "mean"])
def test_reads_a_text_from_both_ends(cell, pool):
    """By hand, each text alone and without padding."""
    model = make(cell, depth=2, bidirectional=True, num_outputs=3, pad_id=PAD, pool=pool)
    tokens = texts(width=9)
    for row, expected in zip(tokens, model(tokens)):
        x = model.embedding.weight[row[row != PAD]]
        for forth, back in zip(model.layers, model.backwards):
            ahead, turned = run(cell, forth, x), run(cell, back, x.flip(0))
            x = torch.cat([ahead, turned.flip(0)], dim=1)
        one = x.mean(0) if pool == "mean" else torch.cat([ahead[-1], turned[-1]])
        torch.testing.assert_close(model.head(one), expected)


@every_cell
@pytest.mark.parametrize("options", [{}, {"pool": "mean"}, {"bidirectional": True}])
def test_padding_has_no_say(cell, options):
    model = make(cell, num_outputs=3, pad_id=PAD, **options)
    tokens = texts()
    alone = torch.cat([model(row[row != PAD][None]) for row in tokens])
    torch.testing.assert_close(model(tokens), alone)
    wider = torch.cat([tokens, torch.full((len(tokens), 4), PAD)], dim=1)
    torch.testing.assert_close(model(wider), alone)
    with torch.no_grad():
        model.embedding.weight[PAD] += 5.0
    torch.testing.assert_close(model(wider), alone)


def test_a_text_of_padding_alone_is_classified_all_the_same():
    for options in ({}, {"bidirectional": True}, {"pool": "mean"}):
        model = make("lstm", num_outputs=3, pad_id=PAD, **options)
        assert model(torch.full((2, 4), PAD)).isfinite().all()


@every_cell
@pytest.mark.parametrize("parts", [(1,) * 7, (3, 4), (7,)])
def test_memory_is_carried_from_call_to_call(cell, parts):
    model, tokens = make(cell, depth=2), texts((7, 7))
    cache = model.new_cache(len(tokens))
    said = [model(part, cache) for part in tokens.split(parts, dim=1)]
    torch.testing.assert_close(torch.cat(said, dim=1), model(tokens))
    assert [memory.length for memory in cache] == [7, 7]
    assert model.context is None


@every_cell
def test_memories_are_chosen_along_the_batch(cell):
    model, tokens = make(cell, depth=2), texts((7, 7, 7))
    cache = model.new_cache(3)
    model(tokens[:, :4], cache)
    index = torch.tensor([2, 0, 2])
    for memory in cache:
        memory.select(index)
    expected = model(tokens[index])[:, 4:]
    torch.testing.assert_close(model(tokens[index, 4:], cache), expected)


@every_cell
def test_bf16_stays_close_and_carries_its_memory(cell):
    torch.manual_seed(0)
    model = RNN(11, cell=cell, width=32).eval()
    tokens = texts((7, 7))
    with torch.no_grad():
        exact = model(tokens)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(tokens)
            cache = model.new_cache(2)
            said = torch.cat([model(part, cache) for part in tokens.split(1, dim=1)], dim=1)
    torch.testing.assert_close(rough.float(), exact, atol=0.03, rtol=0.03)
    torch.testing.assert_close(said.float(), exact, atol=0.03, rtol=0.03)


@every_cell
def test_bf16_gradients_point_the_same_way(cell):
    torch.manual_seed(0)
    model, tokens = RNN(11, cell=cell, width=32), texts((7, 7))
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model(tokens).float().logsumexp(-1).sum()
        found = torch.autograd.grad(loss, list(model.parameters()))
        gradients.append(torch.cat([g.flatten().float() for g in found]))
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


def test_head_and_embedding_are_one_matrix_on_request():
    tied, apart = RNN(11, width=6), RNN(11, width=6, tie=False)
    assert tied.head.weight is tied.embedding.weight
    assert apart.head.weight is not apart.embedding.weight


def test_dropout_silences_between_layers_and_before_the_head():
    torch.manual_seed(0)
    model = RNN(11, width=64, depth=2, dropout=0.5, tie=False).train()
    shares = []
    for module in (*model.layers, model.head):
        module.register_forward_pre_hook(
            lambda _, x: shares.append(float((x[0] == 0).float().mean()))
        )
    model(texts((50, 50)))
    assert all(0.45 < share < 0.55 for share in shares) and len(shares) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bidirectional": True}, "bidirectional=true"),
        ({"depth": 0}, "expected 1 or more"),
        ({"cell": "ltsm"}, "expected one of rnn, lstm, gru"),
    ],
)
def test_mistakes_are_named(options, said):
    with pytest.raises(UserError, match=said):
        MODELS.build({"name": "rnn", **options}, vocab_size=11)
