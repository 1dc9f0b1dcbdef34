"""Distributions of pixels, as a decoder gives them: black and white, or levels of grey; of codes.

Shapes: B batch, Z code, N images, P parameters of a pixel, C channels, H height, W width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = -7.0  # logarithm of a scale: below a fifth of one of 256 levels, nothing changes


class Bernoulli:
    """Black or white; the parameter is the logit of white. Grey pixels are white at random, with
    their brightness as probability, as in Burda et al., 2016 (arXiv:1509.00519)."""

    name, parameters, levels = "bernoulli", 1, 2

    def observe(self, unit: Tensor, at_random: bool = True) -> Tensor:
        """Pixels of 0..1 as 0 or 1; not at random: by which is nearer."""
        limit = torch.rand_like(unit) if at_random else 0.5
        return (unit > limit).to(unit.dtype)

    def log_likelihood(self, seen: Tensor, parameters: Tensor) -> Tensor:
        """Of pixels 0 or 1 (..., C, H, W), in nats: (...)."""
        logits = parameters.squeeze(-4)
        # As F.binary_cross_entropy_with_logits, without its arrays for every code of an image.
        return (seen * logits).sum((-3, -2, -1)) - F.softplus(logits).sum((-3, -2, -1))

    def mean(self, parameters: Tensor) -> Tensor:
        """Probabilities, (N, C, H, W)."""
        return parameters.squeeze(1).sigmoid()

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        """Pixels 0 or 1, of uniform random numbers (N, C, H, W)."""
        return (uniform < self.mean(parameters)).to(parameters.dtype)


class Logistic:
    """Levels of grey: the probability that a logistic distribution gives to the interval around
    each, the outermost ones reaching to infinity (Salimans et al., 2017, arXiv:1701.05517).

    Its parameters are mean and logarithm of the scale, in a range where black is -1 and white 1.

    Args:
        levels: L of the data: 256, or fewer where it uses few.
    """

    name, parameters = "logistic", 2

    def __init__(self, levels: int = 256) -> None:
        self.levels = levels

    def observe(self, unit: Tensor, at_random: bool = True) -> Tensor:
        """Pixels of 0..1 as the nearest level's brightness."""
        return (unit * (self.levels - 1)).round() / (self.levels - 1)

    def log_likelihood(self, seen: Tensor, parameters: Tensor) -> Tensor:
        """Of pixels 0..1 (..., C, H, W), in nats: (...).

        With a and b the ends of the interval, in scales from the mean, and s the logistic function,
        s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), which loses no digits.
        """
        mean, log_scale = parameters.unbind(-4)
        inverse = (-log_scale.clamp(min=SMALLEST)).exp()
        half = 1 / (self.levels - 1)
        centred = 2 * seen - 1 - mean
        upper, lower = (centred + half) * inverse, (centred - half) * inverse
        zero = torch.zeros_like(upper)
        is_lowest, is_highest = seen < half / 2, seen > 1 - half / 2
        below = torch.where(is_highest, zero, F.logsigmoid(upper))
        above = torch.where(is_lowest, zero, F.logsigmoid(-lower))
        width = torch.where(is_lowest | is_highest, zero, (-torch.expm1(-2 * half * inverse)).log())
        return (below + above + width).sum((-3, -2, -1))

    def mean(self, parameters: Tensor) -> Tensor:
        """The means, as pixels 0..1, (N, C, H, W)."""
        return ((parameters[:, 0] + 1) / 2).clamp(0, 1)

    def draw(self, parameters: Tensor, uniform: Tensor) -> Tensor:
        """Levels drawn, as pixels 0..1, of uniform random numbers (N, C, H, W)."""
        mean, log_scale = parameters.unbind(1)
        drawn = mean + log_scale.clamp(min=SMALLEST).exp() * uniform.logit(1e-6)
        return self.observe(((drawn + 1) / 2).clamp(0, 1))


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z | x) || p(z)) in nats, (B,): what a code says of its image."""
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def log_mean(weights: Tensor) -> Tensor:
    """The logarithm of the mean of exp(weights) over the last dimension, in float64."""
    return weights.double().logsumexp(-1) - math.log(weights.shape[-1])
