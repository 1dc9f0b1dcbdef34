"""Key/value cache: what is appended is read back, up to its capacity, in the order of `select`."""

import pytest
import torch

from zoo.layers import cache as cache_module
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


def test_it_grows_up_to_its_capacity(monkeypatch):
    monkeypatch.setattr(cache_module, "FIRST", 4)
    cache, parts = KVCache(11), [kv(size) for size in (3, 1, 2, 4, 1)]
    for part in parts:
        cache.append(part)
    expected = torch.cat(parts, dim=1)
    assert torch.equal(torch.cat(cache.read(), dim=2), expected) and cache.length == 11
    assert KVCache(10**9).append(kv(2))[0].shape == (3, 2, 2, 5), "no room for all is taken"


@pytest.mark.parametrize("sizes", [[1] * 30, [9, 1, 1, 1, 8, 1, 9], [30]])
def test_a_window_keeps_what_new_tokens_attend_to(sizes, monkeypatch):
    monkeypatch.setattr(cache_module, "FIRST", 6)
    cache, parts, rows = KVCache(99, window=4), [kv(size) for size in sizes], torch.tensor([1, 0])
    for k, part in enumerate(parts):
        read = torch.cat(cache.append(part), dim=2)
        expected = torch.cat(parts[: k + 1], dim=1)[:, -(part.shape[1] + 3) :]
        assert torch.equal(read, expected)
    cache.select(rows)
    assert torch.equal(torch.cat(cache.read(), dim=2), torch.cat(parts, dim=1)[rows, -4:])
    assert cache._kv.shape[2] <= max(6, 2 * (3 + max(sizes))), "older ones are dropped"
    assert cache.length == 30
