"""The bound against sums over all times, and probabilities that add up."""

import math

import pytest
import torch

from zoo.inference.noising import Noising
from zoo.inference.variational_bound import VariationalBound, log_between

NOISING = Noising("cosine", 30)
BOUND = VariationalBound(NOISING, 5)
IMAGE = torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 2, 2)


def test_the_estimate_is_unbiased():
    """A denoiser that is off by an amount that depends on the time."""

    def denoise(x, time):
        return IMAGE + 0.05 * time.view(-1, 1, 1, 1).sqrt()

    snr = NOISING.snr()
    exact = sum(
        0.5 * float(snr[t - 1] - snr[t]) * float((0.05 * t**0.5) ** 2) * 4
        for t in range(BOUND.start + 1, 31)
    )
    uniform = (torch.arange(4000) + 0.5) / 4000
    image = IMAGE.expand(4000, -1, -1, -1)
    terms = BOUND.between(denoise, image, uniform, torch.zeros_like(image))
    assert float(terms.mean()) == pytest.approx(exact, rel=0.01)
    once = BOUND.nats(denoise, image, uniform[:, None], torch.zeros(2, *image.shape))
    rest = BOUND.last(IMAGE) + BOUND.first(denoise, IMAGE, torch.zeros_like(IMAGE))
    assert float(once.mean()) == pytest.approx(exact + float(rest), rel=0.01)


def test_the_chain_ends_where_noise_is_near_the_distance_of_levels():
    assert VariationalBound(Noising("cosine", 1000), 256).start == 1  # as in DDPM
    noising = Noising("cosine", 1000)
    start = VariationalBound(noising, 17).start
    assert float(noising.noise[start]) == pytest.approx(0.125 / 3, rel=0.05)
    assert 1 < BOUND.start < 10


def test_who_knows_the_image_needs_hardly_any_bits():
    noise = torch.randn(4, *IMAGE.shape)
    nats = BOUND.nats(lambda x, time: IMAGE, IMAGE, torch.rand(1, 3), noise)
    first = BOUND.first(lambda x, time: IMAGE, IMAGE, noise[0])
    assert float(nats) == pytest.approx(float(BOUND.last(IMAGE) + first), abs=1e-6)
    assert 0 < float(nats) < 0.2


def test_the_end_is_the_divergence_from_normal_noise():
    a, s = float(NOISING.signal[-1]), float(NOISING.noise[-1])
    q, p = torch.distributions.Normal(a * IMAGE.double(), s), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, p).sum()
    assert float(BOUND.last(IMAGE)) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("guess", [-1.0, 0.1, 0.3, 1.0])
def test_the_probabilities_of_all_levels_add_up_to_one(guess):
    levels = torch.linspace(-1, 1, 5).view(5, 1, 1, 1)
    nats = BOUND.first(lambda x, time: torch.full_like(x, guess), levels, torch.zeros_like(levels))
    assert float((-nats).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_intervals_in_the_tails_are_precise():
    below = torch.tensor([-1.0, 30.0, -31.0, -torch.inf, 3.0])
    above = torch.tensor([0.5, 31.0, -30.0, 0.0, torch.inf])
    actual = log_between(below, above)
    assert float(actual[0]) == pytest.approx(math.log(0.5328072), abs=1e-5)
    assert float(actual[1]) == float(actual[2]) == pytest.approx(-454.3212, rel=1e-4)
    assert float(actual[3]) == pytest.approx(math.log(0.5)) and torch.isfinite(actual).all()
