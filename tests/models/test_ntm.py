"""The memory against the paper's equations, in loops of numpy; what a wrong size says."""

import numpy as np
import pytest
import torch

from zoo.errors import UserError
from zoo.models.ntm import EMPTY, NTM, Address, address, write
from zoo.registry import MODELS


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def weights_by_definition(memory, last, key, strength, gate, shift, sharpness):
    """Equations (5) to (9) for one head: memory (N, M), last (N,)."""
    slots = len(memory)
    similar = [
        key @ memory[i] / (np.linalg.norm(key) * np.linalg.norm(memory[i])) for i in range(slots)
    ]
    content = softmax(strength * np.array(similar))
    gated = gate * content + (1 - gate) * last
    shifted = np.zeros(slots)
    for i in range(slots):
        for j in range(slots):
            offset = (i - j) % slots  # s(i - j), which is 0 but for -1, 0, 1
            kernel = {slots - 1: shift[0], 0: shift[1], 1: shift[2]}
            shifted[i] += gated[j] * kernel.get(offset, 0.0)
    return shifted**sharpness / (shifted**sharpness).sum()


@pytest.fixture
def given():
    """Memory, last weights and what three heads emit, for two sequences, float64."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    emitted = Address(
        key=random(2, 3, 4).tanh(),
        strength=random(2, 3, 1).exp(),
        gate=random(2, 3, 1).sigmoid(),
        shift=random(2, 3, 3).softmax(-1),
        sharpness=1 + random(2, 3, 1).exp(),
    )
    return random(2, 5, 4), random(2, 3, 5).softmax(-1), emitted


def test_addresses_are_those_of_the_paper(given):
    memory, last, emitted = given
    actual = address(memory, last, emitted)
    for b in range(2):
        for h in range(3):
            own = [part[b, h].numpy() for part in emitted]
            expected = weights_by_definition(memory[b].numpy(), last[b, h].numpy(), *own)
            np.testing.assert_allclose(actual[b, h].numpy(), expected, rtol=1e-6)
    torch.testing.assert_close(actual.sum(-1), torch.ones(2, 3, dtype=torch.float64))


def test_a_shift_moves_every_head_by_a_slot(given):
    memory, _, emitted = given
    place = torch.eye(5, dtype=torch.float64)[[0, 4, 2]].expand(2, 3, 5)
    moves = torch.eye(3, dtype=torch.float64)[[0, 2, 1]].expand(2, 3, 3)  # back, ahead, stay
    still = emitted._replace(gate=torch.zeros_like(emitted.gate), shift=moves)
    assert address(memory, place, still).argmax(-1).tolist() == [[4, 0, 2]] * 2


def test_writing_erases_and_adds_as_in_the_paper(given):
    memory, weights, _ = given
    generator = torch.Generator().manual_seed(1)
    erase, add = torch.rand(2, 2, 3, 4, generator=generator, dtype=torch.float64)
    actual = write(memory, weights, erase, add)
    for b in range(2):
        expected = memory[b].numpy().copy()
        for h in range(3):  # (3), of all heads before (4)
            for i in range(5):
                expected[i] *= 1 - weights[b, h, i].numpy() * erase[b, h].numpy()
        for h in range(3):
            for i in range(5):
                expected[i] += weights[b, h, i].numpy() * add[b, h].numpy()
        np.testing.assert_allclose(actual[b].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("controller", ["lstm", "feedforward"])
def test_a_step_reads_what_it_has_written(controller):
    torch.manual_seed(0)
    model = NTM(4, 3, controller, width=6, slots=5, slot=4, read_heads=2, write_heads=2).double()
    input = torch.randn(2, 1, 4, dtype=torch.float64)
    logits, moves = model.run(input)
    assert logits.shape == (2, 1, 3) and moves.shape == (2, 1, 4, 5)
    empty = torch.full((2, 5, 4), EMPTY, dtype=torch.float64)
    start = torch.eye(5, dtype=torch.float64)[0].expand(2, 4, 5)
    nothing = torch.zeros(2, 6, dtype=torch.float64)
    x = torch.cat([input[:, 0], torch.zeros(2, 8, dtype=torch.float64)], 1)
    h, _ = model.controller(x, (nothing, nothing))
    where, erase, add = model.heads(h)
    weights = address(empty, start, where)
    memory = write(empty, weights[:, 2:], erase, add)
    read = (weights[:, :2] @ memory).flatten(1)
    torch.testing.assert_close(logits[:, 0], model.head(torch.cat([h, read], 1)))
    torch.testing.assert_close(moves[:, 0], weights)


def test_without_slots_it_is_an_lstm():
    torch.manual_seed(0)
    model = NTM(4, 3, width=6, slots=0)
    cell, lstm = model.controller, torch.nn.LSTM(4, 6, batch_first=True)
    lstm.load_state_dict({f"{name}_l0": tensor for name, tensor in cell.state_dict().items()})
    input = torch.randn(2, 7, 4)
    torch.testing.assert_close(model(input), model.head(lstm(input)[0]))
    with pytest.raises(UserError, match="feedforward remembers nothing without slots"):
        options = {"name": "ntm", "controller": "feedforward", "slots": 0}
        MODELS.build(options, input_width=4, num_outputs=3)
