"""Masking: 15 % of the tokens, 80/10/10, a function of each sequence alone."""

import pytest
import torch
from masked_texts import EOT, MASK_ID, SIZE, guessed, texts

from zoo.tasks.masking import mask_tokens


def masked(batch, rate=0.15, **options):
    tokens = batch["input"][:, :-1]
    return mask_tokens(tokens, rate, MASK_ID, first_id=2, vocab_size=SIZE, **options)


def test_fifteen_percent_of_each_text_eighty_ten_ten():
    batch = texts(3000)
    result = masked(batch)
    places, truth, shown = guessed(result, batch)
    assert (places.sum(1) == 6).all()  # 15 % of 40
    assert len(set(result.positions.tolist())) == len(result.positions)
    assert float((shown == MASK_ID).float().mean()) == pytest.approx(0.8, abs=0.01)
    # one random token in 27 is the true one
    assert float((shown == truth).float().mean()) == pytest.approx(0.1 + 0.1 / 27, abs=0.01)
    random = shown[(shown != MASK_ID) & (shown != truth)]
    assert torch.bincount(random, minlength=SIZE)[2:].float().std() < 0.25 * len(random) / 27
    assert torch.equal(truth, batch["input"][:, :-1].flatten()[result.positions])


def test_other_shares_replace_the_same_tokens_otherwise():
    batch = texts(3000)
    places, truth, shown = guessed(masked(batch, shares=[1, 0, 0]), batch)
    assert torch.equal(places, guessed(masked(batch), batch)[0]) and (shown == MASK_ID).all()
    _, truth, shown = guessed(masked(batch, shares=[0.5, 0, 0.5]), batch)
    assert float((shown == MASK_ID).float().mean()) == pytest.approx(0.5, abs=0.02)
    assert ((shown == MASK_ID) | (shown == truth)).all()
    _, truth, shown = guessed(masked(batch, shares=[0.0, 1.0, 0.0]), batch)
    assert float((shown == truth).float().mean()) < 0.1 and (shown != MASK_ID).all()


def test_every_position_is_masked_equally_often_and_independently():
    batch = texts(4000)
    places, _, _ = guessed(masked(batch), batch)
    rates = places.float()
    assert float((rates.mean(0) - 0.15).abs().max()) < 0.03  # five deviations
    correlation = torch.corrcoef(rates.T) - torch.eye(40)
    assert float(correlation.abs().max()) < 0.1


def test_special_tokens_are_neither_masked_nor_drawn():
    batch = texts(2000, length=21)
    batch["input"][:, ::3] = EOT
    batch["input"][0] = EOT
    places, truth, shown = guessed(masked(batch, 0.5), batch)
    assert not places[0].any() and (places[1:].sum(1) == 10).all()
    assert truth.min() >= 2 and EOT not in shown


def test_the_mask_of_a_sequence_depends_on_its_tokens_alone():
    batch = texts(50)
    whole = masked(batch).input_ids
    alone = [masked({"input": row[None]}).input_ids for row in batch["input"]]
    assert torch.equal(whole, torch.cat(alone))
    other = batch["input"].clone()
    other[:, 0] = 2 + (other[:, 0] - 1) % 27  # one letter differs
    both = (batch, {"input": other})
    before, after = (guessed(masked(tokens), tokens)[0] for tokens in both)
    assert float((before & after).sum() / before.sum()) < 0.3  # by chance: 0.15


def test_padding_counts_for_nothing():
    batch = texts(200, low=3)
    batch["input"][1::2, 13:] = EOT
    result = masked(batch, pad_id=EOT)
    places = guessed(result, batch)[0]
    assert (places[::2].sum(1) == 6).all() and (places[1::2].sum(1) == 2).all()  # of 40, of 13
    assert result.counts.tolist() == [6, 2] * 100
    full = {"input": batch["input"][::2]}
    assert all(map(torch.equal, masked(full, pad_id=EOT), masked(full)))
