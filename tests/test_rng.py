"""Random numbers as hashes: SplitMix64, in integers and in tensors."""

import torch

from zoo.rng import integers, mix, mix_seed, normal, sample_seeds, scramble, signed, uniform


def test_the_hash_is_splitmix64():
    """First outputs of the reference implementation for the seed 1234567."""
    state, expected = 1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]
    golden = 0x9E3779B97F4A7C15
    states = torch.tensor([signed((state + i * golden) % 2**64) for i in (1, 2, 3)])
    assert [number % 2**64 for number in scramble(states).tolist()] == expected


def test_uniform_numbers_are_uniform_and_streams_independent():
    seeds = sample_seeds(0, torch.tensor(0), torch.arange(20000))
    one, two = uniform(seeds, 0), uniform(seeds, 1)
    assert float(one.min()) >= 0 and float(one.max()) < 1
    histogram = torch.histc(one, 10, 0, 1)
    assert ((histogram - 2000).abs() < 200).all()
    assert abs(float(torch.corrcoef(torch.stack([one, two]))[0, 1])) < 0.03
    assert integers(seeds, 0, 5).unique().tolist() == [0, 1, 2, 3, 4]


def test_seeds_differ_by_run_epoch_and_sample():
    index = torch.arange(1000)
    seeds = [sample_seeds(s, torch.tensor(e), index) for s in (0, 1, -1) for e in range(3)]
    assert len(torch.cat(seeds).unique()) == 9000
    assert torch.equal(mix(index, 5), mix(index, torch.full((1000,), 5)))
    epochs = torch.tensor([0, 0, 1])
    mixed = sample_seeds(0, epochs, torch.tensor([4, 5, 4]))
    assert mixed[2] == seeds[1][4] and mixed[0] == seeds[0][4]


def test_seeds_of_neighbours_share_nothing():
    seeds = {mix_seed(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900 and all(0 <= seed < 2**63 for seed in seeds)
    assert mix_seed(1, 2) != mix_seed(2, 1) and mix_seed(0) == mix_seed(0)


def test_integers_and_tensors_hash_alike():
    golden = 0x9E3779B97F4A7C15
    state = scramble(torch.tensor([signed((5 + golden) % 2**64)]))
    assert (int(state) % 2**64) >> 1 == mix_seed(5)


def test_normal_numbers_are_normal():
    seeds = sample_seeds(0, torch.tensor(0), torch.arange(2000))
    numbers = normal(seeds, 0, 51)
    assert numbers.shape == (2000, 51) and numbers.dtype == torch.float32
    assert abs(float(numbers.mean())) < 0.01 and abs(float(numbers.std()) - 1) < 0.01
    assert abs(float(numbers.pow(4).mean()) - 3) < 0.1  # of the normal distribution
    correlation = torch.corrcoef(numbers.T) - torch.eye(51)
    assert float(correlation.abs().max()) < 0.12
    assert torch.equal(normal(seeds[5:6], 0, 51)[0], numbers[5])
    assert not torch.equal(normal(seeds, 1, 51), numbers)
