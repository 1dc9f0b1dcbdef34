"""Key/value cache: what is appended is read back, up to its capacity, in the order of `select`."""

import pytest
import torch

from zoo.layers.cache import KVCache


def kv(tokens, batch=3, heads=4):
    return torch.randn(batch, tokens, heads, 5)


def test_reads_keys_and_values_of_all_tokens():
    cache, parts = KVCache(6), [kv(2), kv(1), kv(3)]
    for part in parts:
        cache.append(part)
    keys, values = cache.read()
    expected = torch.cat(parts, dim=1)  # (3, 6, 4, 5)
    assert torch.equal(keys, expected[:, :, :2]) and torch.equal(values, expected[:, :, 2:])
    assert cache.length == 6


def test_refuses_more_than_fits_and_stays_as_it_was():
    cache = KVCache(4)
    before = cache.append(kv(3))
    with pytest.raises(ValueError, match="5 tokens, but the cache holds 4"):
        cache.append(kv(2))
    assert cache.length == 3
    for tensor, expected in zip(cache.read(), before, strict=True):
        assert torch.equal(tensor, expected)


def test_select_reorders_the_batch_and_leaves_room():
    cache, first, second = KVCache(3), kv(2), kv(1, batch=4)
    cache.append(first)
    rows = torch.tensor([2, 0, 0, 1])
    cache.select(rows)
    keys, _ = cache.append(second)
    assert torch.equal(keys, torch.cat([first[rows], second], dim=1)[:, :, :2])


def test_select_of_an_empty_cache_does_nothing():
    cache = KVCache(3)
    cache.select(torch.tensor([0]))
    assert cache.length == 0
