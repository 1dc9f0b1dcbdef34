"""Counter-based random numbers: SplitMix64, the same on every device, whatever the batch.

Steele, Lea & Flood, 2014, https://doi.org/10.1145/2660193.2660195. A random number is a hash of
what it belongs to (seed, epoch, sample), in wrapping 64-bit arithmetic: there is no state to save,
and no order in which numbers have to be drawn.
"""

import math

import torch
from torch import Tensor

MASK = (1 << 64) - 1
GOLDEN, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix_seed(*numbers: int) -> int:
    """One seed from several numbers; neighbouring numbers give unrelated seeds."""
    state = 0
    for number in numbers:
        state = (state + number + GOLDEN) & MASK
        state = ((state ^ (state >> 30)) * FIRST) & MASK
        state = ((state ^ (state >> 27)) * SECOND) & MASK
        state ^= state >> 31
    return state >> 1  # torch takes seeds below 2**63


def signed(value: int) -> int:
    """The int64 with the bits of an unsigned 64-bit number."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift (torch's `>>` keeps the sign)."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def scramble(x: Tensor) -> Tensor:
    """SplitMix64's finaliser, int64 to int64: every output bit depends on every input bit."""
    x = (x ^ _shift_right(x, 30)) * signed(FIRST)
    x = (x ^ _shift_right(x, 27)) * signed(SECOND)
    return x ^ _shift_right(x, 31)


def _next(x: Tensor) -> Tensor:
    """One step of SplitMix64."""
    return scramble(x + signed(GOLDEN))


def mix(a: Tensor, b: Tensor | int) -> Tensor:
    """A hash of two int64 values (broadcast), int64."""
    return _next(_next(a) + b)


def sample_seeds(seed: int, epoch: Tensor, index: Tensor) -> Tensor:
    """One int64 seed per sample from the run's seed, the epoch and the sample's index."""
    start = torch.full_like(index, signed(seed & MASK))
    return mix(mix(start, epoch.to(index.device)), index)


def random_bits(seeds: Tensor, stream: int) -> Tensor:
    """24 random bits per seed, as int64 0..2^24-1; another `stream` gives independent ones."""
    return _shift_right(mix(seeds, stream), 40)


def uniform(seeds: Tensor, stream: int) -> Tensor:
    """Float32 in [0, 1), one per seed; another `stream` gives independent numbers."""
    return random_bits(seeds, stream).float() * 2.0**-24


def integers(seeds: Tensor, stream: int, number: int) -> Tensor:
    """Int64 in 0..number-1, one per seed."""
    return (random_bits(seeds, stream) * number) >> 24


def normal(seeds: Tensor, stream: int, number: int) -> Tensor:
    """Float32 (N, number), normally distributed, by seeds (N,); up to 5.8 deviations.

    Box and Muller, 1958, https://doi.org/10.1214/aoms/1177706645: two from two uniform numbers.
    """
    pair = torch.arange((number + 1) // 2, device=seeds.device)
    bits = mix(mix(seeds, stream)[:, None], pair)  # (N, number / 2)
    radius = ((_shift_right(bits, 40) + 1).float() * 2.0**-24).log().mul(-2).sqrt()
    angle = (bits & ((1 << 24) - 1)).float() * (2 * math.pi * 2.0**-24)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :number]
