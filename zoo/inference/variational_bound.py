"""The variational bound of a diffusion model: a least likelihood of an image.

Ho et al., 2020, https://arxiv.org/abs/2006.11239, equations 5 and 13; as a sum over times of how
far the expected image is off, weighted by the loss of signal to noise, Kingma et al., 2021,
arXiv:2107.00630, equation 13.
Shapes: N images, C channels, H height, W width, T times.
"""

import math

import torch
from torch import Tensor

from zoo.inference.denoising import Denoise
from zoo.inference.noising import Noising


class VariationalBound:
    """-log p(image) at most, in nats, of images whose pixels take L evenly spaced levels.

    The chain from noise ends at the first time whose noise is near the distance of two levels (a
    third of it): any part of the times is a chain with a bound, and what noise below that hides of
    an image is told by its levels alone. In DDPM, of 256 levels, that is time 1.

    The terms of all times but that one are estimated from a few times, drawn so that each is about
    as likely as its term is large: evenly in log(1 + signal to noise).

    Args:
        noising: As in training.
        levels: L, of pixels from -1 to 1.
    """

    def __init__(self, noising: Noising, levels: int) -> None:
        self.noising, self.levels = noising, levels
        least = 2 / (levels - 1) / 3  # of the noise, where the signal is 1
        noisy = (noising.noise / noising.signal >= least).nonzero()[:, 0]
        self.start = min(max(1, int(noisy[0])), noising.steps - 1)
        snr = noising.snr()[self.start :]  # of times t_0 to T
        lost = (snr.log1p()[:-1] - snr.log1p()[1:]).clamp(min=0)
        chance = lost / lost.sum()  # of times t_0 + 1 to T
        self.ends = chance.cumsum(0).float()
        self.weights = ((snr[:-1] - snr[1:]) / 2 / chance.clamp(min=1e-300)).float()
        self.deviation = float(noising.noise[self.start]) / math.sqrt(2)

    def nats(self, denoise: Denoise, image: Tensor, uniform: Tensor, noise: Tensor) -> Tensor:
        """An unbiased estimate of the bound of each image, (N,).

        Args:
            denoise: The model.
            image: -1..1, (N, C, H, W).
            uniform: In [0, 1), (N, M): which M times are looked at.
            noise: Normal, (M + 1, N, C, H, W).
        """
        terms = [self.last(image), self.first(denoise, image, noise[0])]
        between = [self.between(denoise, image, u, n) for u, n in zip(uniform.unbind(1), noise[1:])]
        return torch.stack(terms).sum(0) + torch.stack(between).mean(0)

    def last(self, image: Tensor) -> Tensor:
        """How far what the image has become at time T is from normal noise."""
        power = float(self.noising.signal[-1]) ** 2  # a^2; s^2 is 1 - a^2
        terms = power * image.square() - power - math.log1p(-power)
        return terms.flatten(1).sum(1) / 2

    def between(self, denoise: Denoise, image: Tensor, uniform: Tensor, noise: Tensor) -> Tensor:
        """The terms of all times but the first, estimated from one of them for each image."""
        index = torch.searchsorted(self.ends.to(uniform.device), uniform.contiguous(), right=True)
        index = index.clamp(max=len(self.ends) - 1)
        time = index + self.start + 1
        found = denoise(self.noising.add(image, noise, time), time)
        return self.weights.to(image.device)[index] * (found - image).square().flatten(1).sum(1)

    def first(self, denoise: Denoise, image: Tensor, noise: Tensor) -> Tensor:
        """-log p of the levels, given the image with the noise of the first time: normal around
        what the model expects, with half the variance of that noise."""
        time = torch.full((len(image),), self.start, device=image.device)
        found = denoise(self.noising.add(image, noise, time), time)
        half = 1 / (self.levels - 1)  # of the distance between two levels
        distance, top, bottom = image - found, image > 1 - half, image < half - 1
        above = torch.where(top, torch.inf, (distance + half) / self.deviation)
        below = torch.where(bottom, -torch.inf, (distance - half) / self.deviation)
        return -log_between(below, above).flatten(1).sum(1)


def log_between(below: Tensor, above: Tensor) -> Tensor:
    """log(F(above) - F(below)) of the normal distribution, precise in its tails."""
    # By symmetry, both on the left, where F is precise.
    flipped = below + above > 0
    low, high = torch.where(flipped, -above, below), torch.where(flipped, -below, above)
    log_low, log_high = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
    return log_high + torch.log1p(-(log_low - log_high).exp().clamp(max=1 - 1e-7))
