"""Amplitudes, moments of noised images, and what follows from what the network says."""

import math

import pytest
import torch

from zoo.inference.noising import Noising, to_image, to_predict

every_schedule = pytest.mark.parametrize("schedule", ["cosine", "linear"])
KINDS = ("v", "noise")


@every_schedule
@pytest.mark.parametrize("steps", [2, 50, 1000])
def test_amplitudes_go_from_the_image_to_noise(schedule, steps):
    noising = Noising(schedule, steps)
    total = noising.signal.square() + noising.noise.square()
    torch.testing.assert_close(total, torch.ones_like(total))
    assert noising.signal[0] == 1 and noising.noise[0] == 0
    assert (noising.signal.diff() < 0).all() and (noising.noise.diff() > 0).all()
    assert noising.signal[-1] < 0.1 or steps == 2


def test_schedules_are_those_of_the_papers():
    cosine = Noising("cosine", 1000).signal.square()
    angle = (0.5 + 0.008) / 1.008 * math.pi / 2
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    assert float(cosine[500]) == pytest.approx(math.cos(angle) ** 2 / start)
    linear = Noising("linear", 1000).signal.square()
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    torch.testing.assert_close(linear[1:], (1 - betas).cumprod(0))


@every_schedule
def test_noised_images_have_the_moments_of_the_forward_process(schedule):
    """One step after another, as the process is defined, and at once."""
    noising, image = Noising(schedule, 20), torch.full((20_000, 1, 1, 1), 0.7)
    torch.manual_seed(0)
    x = image
    for t in range(1, 14):
        kept = float(noising.signal[t] / noising.signal[t - 1])
        x = kept * x + math.sqrt(1 - kept**2) * torch.randn_like(x)
    time = torch.full((len(image),), 13)
    for sample in (x, noising.add(image, torch.randn_like(image), time)):
        assert float(sample.mean()) == pytest.approx(0.7 * float(noising.signal[13]), abs=0.03)
        assert float(sample.var()) == pytest.approx(float(noising.noise[13]) ** 2, rel=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_follows_from_what_is_predicted(kind):
    noising = Noising(steps=100)
    image, noise = torch.randn(2, 9, 1, 4, 4, dtype=torch.float64)
    time = torch.arange(10, 100, 10)
    a, s = noising.at(time, image)
    x = noising.add(image, noise, time)
    said = to_predict(kind, image, noise, a, s)
    torch.testing.assert_close(to_image(kind, said, x, a, s), image)
