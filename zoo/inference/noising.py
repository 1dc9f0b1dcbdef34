"""How a diffusion model's images become noise, and what its network says about them.

An image x_0 at time t, of T, is x_t = a_t x_0 + s_t n: a_t is the amplitude of the signal, s_t that
of the noise n, which is normal, and a_t^2 + s_t^2 = 1. Ho et al., 2020,
https://arxiv.org/abs/2006.11239.
Shapes: N images, C channels, H height, W width, T times.
"""

import math
from typing import Literal

import torch
from torch import Tensor

ScheduleName = Literal["cosine", "linear"]
PredictionName = Literal["v", "noise"]
OFFSET = 0.008  # of the cosine: the first steps are not too small
MOST = 0.999  # of the variance, that a step replaces by noise
FIRST, LAST = 1e-4, 0.02  # the same of the linear schedule's steps, were there a thousand


class Noising:
    """The amplitudes at each time, and changes between an image, its noise and what is predicted.

    Args:
        schedule: `cosine` (Nichol and Dhariwal, 2021, arXiv:2102.09672) or `linear` (the paper's).
        steps: T.

    Attributes:
        signal, noise: a_t and s_t, float64 (T + 1,): index 0 is the image, T nearly noise alone.
    """

    def __init__(self, schedule: ScheduleName = "cosine", steps: int = 1000) -> None:
        self.steps = steps
        times = torch.arange(steps + 1, dtype=torch.float64) / steps
        if schedule == "cosine":
            kept = ((times + OFFSET) / (1 + OFFSET) * math.pi / 2).cos().square()
            replaced = (1 - kept[1:] / kept[:-1]).clamp(max=MOST)
        else:
            replaced = torch.linspace(FIRST, LAST, steps, dtype=torch.float64) * (1000 / steps)
            replaced = replaced.clamp(max=MOST)
        left = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-replaced)]).cumsum(0)
        self.signal, self.noise = (left / 2).exp(), (-torch.expm1(left)).sqrt()
        self._tables = {torch.device("cpu"): torch.stack([self.signal, self.noise])}

    def at(self, time: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """a_t and s_t of times int64 (N,), shaped (N, 1, 1, 1), of the type of images `like`."""
        if time.device not in self._tables:  # copied once
            self._tables[time.device] = self._tables[torch.device("cpu")].float().to(time.device)
        pair = self._tables[time.device][:, time].to(like.dtype)[..., None, None, None]
        return pair[0], pair[1]

    def add(self, image: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """x_t of images (N, C, H, W) at times int64 (N,)."""
        a, s = self.at(time, image)
        return a * image + s * noise

    def snr(self) -> Tensor:
        """Signal to noise, a_t^2 / s_t^2, float64 (T + 1,); infinite at 0."""
        return (self.signal / self.noise).square()


def to_predict(kind: PredictionName, image: Tensor, noise: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """What the network is to say: the noise, or v = a noise - s image (Salimans and Ho, 2022,
    arXiv:2202.00512), which stays of use where there is nearly no noise, or noise alone."""
    return noise if kind == "noise" else a * noise - s * image


def to_image(kind: PredictionName, said: Tensor, x: Tensor, a: Tensor, s: Tensor) -> Tensor:
    """The image that follows from what the network said of x_t."""
    return (x - s * said) / a if kind == "noise" else a * x - s * said
