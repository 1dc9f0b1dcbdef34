"""Distributions of pixels: probabilities that sum to one, and what is drawn from them."""

import pytest
import torch
from torch.distributions import Bernoulli as Reference

from zoo.tasks.likelihoods import Bernoulli, Logistic, divergence, log_mean


def of_one_pixel(kind, parameters, unit):
    """The log-likelihoods of values of one pixel, (V,)."""
    seen = unit.view(-1, 1, 1, 1)
    return kind.log_likelihood(seen, torch.tensor(parameters).view(1, -1, 1, 1, 1))


@pytest.mark.parametrize("parameters", [(0.1, -2.0), (-0.9, -5.0), (3.0, 0.5), (0.0, -20.0)])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_levels_of_grey_share_all_probability(parameters, levels):
    unit = torch.linspace(0, 1, levels, dtype=torch.float64)
    total = of_one_pixel(Logistic(levels), parameters, unit).exp().sum()
    assert float(total) == pytest.approx(1)


def test_a_level_has_the_probability_of_its_interval():
    kind, (mean, log_scale) = Logistic(5), (0.2, -1.0)
    unit = torch.linspace(0, 1, 5, dtype=torch.float64)
    ends = (
        (torch.tensor([-0.75, -0.25, 0.25, 0.75]).double() - mean) / torch.e**log_scale
    ).sigmoid()
    known = torch.cat([ends, torch.ones(1)]) - torch.cat([torch.zeros(1), ends])
    torch.testing.assert_close(of_one_pixel(kind, (mean, log_scale), unit).exp(), known)


def test_black_and_white():
    logits = torch.randn(4, 1, 2, 3, 3)
    seen = Bernoulli().observe(torch.rand(4, 2, 3, 3))
    known = Reference(logits=logits[:, 0]).log_prob(seen).sum((1, 2, 3))
    torch.testing.assert_close(Bernoulli().log_likelihood(seen, logits), known)
    assert Bernoulli().observe(torch.tensor([0.0, 0.4, 0.6, 1.0]), False).tolist() == [0, 0, 1, 1]
    ends = torch.tensor([0.0, 1.0]).repeat(50)
    assert torch.equal(Bernoulli().observe(ends), ends)  # what is black or white already stays


@pytest.mark.parametrize("kind", [Bernoulli(), Logistic(9)])
def test_what_is_drawn_has_the_probabilities(kind):
    torch.manual_seed(0)
    parameters = torch.tensor([0.3, -1.0][: kind.parameters]).view(1, -1, 1, 1, 1)
    drawn = kind.draw(parameters.expand(20_000, -1, -1, -1, -1), torch.rand(20_000, 1, 1, 1))
    unit = torch.linspace(0, 1, kind.levels)
    shares = torch.stack(
        [(drawn.flatten() - value).abs().lt(1e-4).float().mean() for value in unit]
    )
    known = kind.log_likelihood(unit.view(-1, 1, 1, 1), parameters).exp()
    torch.testing.assert_close(shares, known, atol=0.012, rtol=0)


def test_a_code_says_as_much_as_it_differs_from_the_prior():
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, -0.5]])
    q = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    known = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), known)
    assert log_mean(torch.tensor([[-1000.0, -1000.0]])).item() == -1000
