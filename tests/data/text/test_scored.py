"""Rows of which some tokens are scored: as they were given, alone and packed."""

import numpy as np
import pytest
import torch

from zoo.data.text.scored import ScoredSource, pack
from zoo.data.tokenizers.registry import ByteTokenizer
from zoo.errors import UserError
from zoo.models.gpt import GPT
from zoo.models.llama import Llama
from zoo.models.rnn import RNN
from zoo.tasks.causal_lm import CausalLM

PAD = 256


def some_rows(number=12):
    rng = np.random.default_rng(0)
    rows = [(rng.integers(0, 256, n).astype(np.int32), rng.random(n) < 0.5) for n in range(3, 15)]
    for _, scored in rows:
        scored[:2] = False, True  # something before, something to learn
    return rows[:number]


def test_rows_are_padded_with_what_is_scored_of_them():
    rows = some_rows()
    source = ScoredSource.of(rows, PAD)
    batch = source.fetch(torch.tensor([2, 0]))
    assert batch["input"].shape == (2, 5) and batch["scored"].shape == (2, 4)
    assert batch["input"][1].tolist() == [*rows[0][0], PAD, PAD]
    assert batch["scored"][1].tolist() == [*rows[0][1][1:], False, False]
    assert source.num_tokens == sum(len(ids) for ids, _ in rows) and len(source) == 12
    assert source.bucket_key.tolist() == [len(ids) for ids, _ in rows]
    assert source.nbytes == 5 * source.num_tokens + 16 * 12
    assert source.to(torch.device("meta")).scored.device.type == "meta"


@pytest.mark.parametrize("width", [14, 15, 20, 100])
def test_packs_hold_each_document_once_and_are_full(width):
    lengths = [len(ids) for ids, _ in some_rows()]
    packs = pack(lengths, width)
    assert sorted(i for p in packs for i in p) == list(range(12))
    sizes = [sum(lengths[i] for i in p) for p in packs]
    assert max(sizes) <= width and len(packs) <= 2 + sum(lengths) // width
    assert all(a + b > width for k, a in enumerate(sizes) for b in sizes[:k])
    assert pack([], 5) == [] and pack([5, 5], 5) == [[0], [1]]


def test_packed_rows_say_which_document_a_token_is_of():
    rows = some_rows()
    source = ScoredSource.packed(rows, PAD, 20)
    batch = source.fetch(torch.arange(len(source)))
    found = []
    for ids, scored, documents in zip(*(batch[k] for k in ("input", "scored", "documents"))):
        assert (documents == -1).equal(ids == PAD)
        for number in range(int(documents.max()) + 1):
            of = documents == number
            found.append((ids[of].tolist(), scored[of[1:]].tolist()))
    given = [(ids.tolist(), scored.tolist()) for ids, scored in rows]
    for ids, scored in given:
        assert (ids, scored[1:]) in found or (ids, scored) in found  # the first one has no place
    assert len(found) == 12


@pytest.mark.parametrize("kind", ["learned", "sinusoidal", "rotary", "llama"])
def test_packed_losses_and_gradients_are_those_of_the_rows_alone(kind):
    torch.manual_seed(0)
    shape = {"width": 16, "depth": 2, "heads": 4, "kv_heads": 2, "qk_norm": True}
    if kind == "llama":
        model = Llama(257, 40, **shape, window=6).double()
    else:
        model = GPT(257, 40, **shape, positions=kind).double()
    tokenizer, rows = ByteTokenizer(["<|endoftext|>"]), some_rows()
    task = CausalLM(tokenizer.token_bytes(), tokenizer)
    sums = []
    for source in (ScoredSource.of(rows, PAD), ScoredSource.packed(rows, PAD, 41)):
        batch = source.fetch(torch.arange(len(source)))
        batch["input"] = batch["input"].long()
        model.train().zero_grad()
        output = task.step(model, batch)
        output.loss_sum.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        with torch.no_grad():
            seen = task.step(model.eval(), batch)
        assert seen.loss_sum.allclose(output.loss_sum)
        sums.append((output.loss_sum.detach(), output.count, gradient, seen.sums["accuracy"]))
        sums[-1] += (len(source),)
    (loss, count, gradient, right, _), (packed, counted, other, also, number) = sums
    assert number == 3 and count == counted and right == also
    torch.testing.assert_close(packed, loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(other, gradient, rtol=0, atol=1e-12)


def test_a_model_that_would_read_a_row_as_one_is_refused():
    tokenizer = ByteTokenizer(["<|endoftext|>"])
    batch = ScoredSource.packed(some_rows(), PAD, 20).fetch(torch.tensor([0]))
    batch["input"] = batch["input"].long()
    with pytest.raises(UserError, match="data.pack=true: RNN would read the conversations of a"):
        CausalLM(tokenizer.token_bytes(), tokenizer).step(RNN(257, width=8, depth=1), batch)
