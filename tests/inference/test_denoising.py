"""Samplers against the formulas of their papers, guidance, and hidden parts."""

import pytest
import torch

from zoo.inference.denoising import chain, denoiser, repaint, step_down, times
from zoo.inference.noising import Noising, to_predict

NOISING = Noising("cosine", 40)
IMAGE = torch.linspace(-1, 1, 32).view(2, 1, 4, 4)


def knows(x, time):
    """A denoiser that knows the image."""
    return IMAGE


def noise():
    return torch.randn(IMAGE.shape)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 3, 40])
def test_a_perfect_denoiser_gives_its_image(steps, eta):
    torch.manual_seed(0)
    states = list(chain(knows, NOISING, noise(), steps, eta, noise))
    assert [state.time for state in states] == times(40, steps)[1:]
    torch.testing.assert_close(states[-1].x, IMAGE)


def test_steps_are_evenly_spaced():
    assert times(1000, 4) == [1000, 750, 500, 250, 0]
    assert times(40, 40) == list(range(40, -1, -1))


@pytest.mark.parametrize("now", [2, 17, 40])
def test_with_all_steps_and_eta_1_a_step_is_drawn_from_the_posterior(now):
    """Ho et al., 2020, equations 6 and 7."""
    x, image, fresh = torch.randn(3, 5, 1, 4, 4, dtype=torch.float64)
    kept = NOISING.signal.square()
    alpha = kept[now] / kept[now - 1]
    beta, left = 1 - alpha, 1 - kept[now]
    mean = kept[now - 1].sqrt() * beta / left * image
    mean = mean + alpha.sqrt() * (1 - kept[now - 1]) / left * x
    deviation = ((1 - kept[now - 1]) / left * beta).sqrt()
    actual = step_down(x, image, NOISING, now, now - 1, 1.0, fresh)
    torch.testing.assert_close(actual, mean + deviation * fresh)


def test_without_fresh_noise_the_direction_stays():
    """DDIM: the same noise, of another amplitude."""
    direction = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    image = IMAGE.double()
    x = NOISING.signal[30] * image + NOISING.noise[30] * direction
    actual = step_down(x, image, NOISING, 30, 12, 0.0, torch.full_like(x, torch.nan).nan_to_num())
    torch.testing.assert_close(actual, NOISING.signal[12] * image + NOISING.noise[12] * direction)


class ByClass(torch.nn.Module):
    """Says a multiple of its input that depends on the class."""

    factors = torch.tensor([0.1, 0.3, -0.2])

    def forward(self, x, time, classes):
        return self.factors[classes].view(-1, 1, 1, 1) * x


def found(x, guidance, classes=(0, 1)):
    classes = torch.tensor(classes)
    denoise = denoiser(ByClass(), NOISING, "v", classes, 2, guidance)
    return denoise(x, torch.full((2,), 20))


def test_guidance_of_1_is_the_class_and_of_0_is_none():
    x = 0.1 * torch.randn(2, 1, 4, 4)
    assert torch.equal(found(x, 0.0), found(x, 1.0, (2, 2)))
    with_class, without = found(x, 1.0), found(x, 0.0)
    torch.testing.assert_close(found(x, 2.5), without + 2.5 * (with_class - without))
    torch.testing.assert_close(found(x, 1.0 + 1e-6), with_class)


@pytest.mark.parametrize("kind", ["v", "noise"])
def test_the_expected_image_is_cut_to_the_range_of_pixels(kind):
    time = torch.full((2,), 20)
    a, s = NOISING.at(time, IMAGE)
    direction = torch.randn_like(IMAGE)

    def model(x, time, classes):
        return to_predict(kind, 3 * IMAGE, direction, a, s)

    denoise = denoiser(model, NOISING, kind, torch.zeros(2, dtype=torch.int64), 0)
    image = denoise(NOISING.add(3 * IMAGE, direction, time), time)
    torch.testing.assert_close(image, (3 * IMAGE).clamp(-1, 1))


def test_what_is_shown_stays_and_what_is_hidden_is_drawn():
    torch.manual_seed(0)
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[:, 2:] = True
    seen = []

    def denoise(x, time):
        seen.append(x)
        return torch.full_like(IMAGE, 0.5)

    drawn = repaint(denoise, NOISING, IMAGE, hidden, 5, 3, noise)
    assert torch.equal(drawn[..., :2], IMAGE[..., :2])
    torch.testing.assert_close(drawn[..., 2:], torch.full((2, 1, 4, 2), 0.5))
    assert len(seen) == 3 * 4 + 1  # the last step is the image
