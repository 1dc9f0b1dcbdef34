"""From noise to images with a diffusion model, in many steps or few; and the rest of a picture.

Shapes: N images, C channels, H height, W width, K classes, S steps.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.inference.noising import Noising, PredictionName, to_image

Denoise = Callable[[Tensor, Tensor], Tensor]
"""Noised images (N, C, H, W) and their times, int64 (N,), to the images expected in them."""


def denoiser(
    model: nn.Module,
    noising: Noising,
    kind: PredictionName,
    classes: Tensor,
    no_class: int,
    guidance: float = 1.0,
) -> Denoise:
    """A model as a function that finds the images in noised ones.

    Guidance (Ho and Salimans, 2022, https://arxiv.org/abs/2207.12598) goes from what the model says
    without the class to what it says with it, and beyond: 0 is without, 1 with, 2 twice as far.

    Args:
        model: In evaluation mode; images, times 0..1 (N,), classes (N,) to what `kind` says.
        noising: As in training.
        kind: What the model predicts.
        classes: Int64 (N,).
        no_class: The number that tells no class.
        guidance: How far.
    """
    nothing = torch.full_like(classes, no_class)

    def say(x: Tensor, time: Tensor) -> Tensor:
        if guidance in (0.0, 1.0):
            return model(x, time, classes if guidance else nothing).float()
        both = torch.cat([nothing, classes])
        without, told = model(x.repeat(2, 1, 1, 1), time.repeat(2), both).float().chunk(2)
        return without + guidance * (told - without)

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        said = say(x, time / noising.steps)
        return to_image(kind, said, x, *noising.at(time, x)).clamp(-1, 1)

    return denoise


class State(NamedTuple):
    """One step of a chain from noise to images.

    Attributes:
        time: From T down to 0.
        x: The noised images, (N, C, H, W); at time 0, the images.
        expected: The images that the model expected in the ones before.
    """

    time: int
    x: Tensor
    expected: Tensor


def times(last: int, steps: int) -> list[int]:
    """S + 1 times from T down to 0, as evenly spaced as whole numbers are."""
    return torch.linspace(last, 0, steps + 1, dtype=torch.float64).round().long().tolist()


def step_down(
    x: Tensor, image: Tensor, noising: Noising, now: int, then: int, eta: float, fresh: Tensor
) -> Tensor:
    """x at an earlier time, from x now and the image that is expected in it.

    Song et al., 2021 (DDIM), https://arxiv.org/abs/2010.02502, equation 12: of the noise then, a
    part points where it points now, and the rest is fresh. With `eta` = 0 nothing is fresh; with 1
    it is as in DDPM, where x then is drawn given x now and the image.
    """
    a, s = float(noising.signal[now]), float(noising.noise[now])
    a_then, s_then = float(noising.signal[then]), float(noising.noise[then])
    new = eta * s_then / s * max(0.0, 1 - (a / a_then) ** 2) ** 0.5
    old = max(0.0, s_then**2 - new**2) ** 0.5
    return a_then * image + old / s * (x - a * image) + new * fresh


def chain(
    denoise: Denoise,
    noising: Noising,
    x: Tensor,
    steps: int,
    eta: float,
    draw: Callable[[], Tensor],
) -> Iterator[State]:
    """The states of images on their way from noise.

    Args:
        denoise: As `denoiser` makes it.
        noising: As in training.
        x: Normal noise, (N, C, H, W).
        steps: S, 1 to T.
        eta: 0 for DDIM, 1 for DDPM.
        draw: Normal noise of the same shape; not called with eta 0.
    """
    path = times(noising.steps, steps)
    for now, then in zip(path, path[1:]):
        image = denoise(x, torch.full((len(x),), now, device=x.device))
        fresh = draw() if eta > 0 and then > 0 else torch.zeros_like(x)
        x = step_down(x, image, noising, now, then, eta, fresh)
        yield State(then, x, image)


def repaint(
    denoise: Denoise,
    noising: Noising,
    known: Tensor,
    hidden: Tensor,
    steps: int,
    repeats: int,
    draw: Callable[[], Tensor],
) -> Tensor:
    """Images whose hidden part is drawn to fit the rest.

    Lugmayr et al., 2022 (RePaint), https://arxiv.org/abs/2201.09865: after each step the known part
    is put in place, with the noise of that time. The two parts then do not fit yet, so each step is
    repeated: noise is added again, and the step is taken again.

    Args:
        denoise: As `denoiser` makes it.
        noising: As in training.
        known: The images, -1..1 (N, C, H, W).
        hidden: Bool, of the same shape or one that expands to it.
        steps: S, 1 to T.
        repeats: How often each step is taken.
        draw: Normal noise of the shape of `known`.
    """
    path, x = times(noising.steps, steps), draw()
    for now, then in zip(path, path[1:]):
        time = torch.full((len(x),), now, device=x.device)
        a, s = float(noising.signal[then]), float(noising.noise[then])
        kept = float(noising.signal[now]) / a
        for k in range(repeats if then > 0 else 1):
            if k:
                x = kept * x + (1 - kept**2) ** 0.5 * draw()
            x = step_down(x, denoise(x, time), noising, now, then, 1.0, draw())
            x = torch.where(hidden, x, a * known + s * draw())
    return x
