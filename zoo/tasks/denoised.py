"""Images that are drawn by a network which finds images in noise.

Shapes: N images, C channels, H height, W width, K classes, T times, L levels of a pixel.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.batch import Batch
from zoo.bounds import NotNegative, Positive
from zoo.errors import UserError
from zoo.inference.denoising import Denoise, State, chain, denoiser, repaint
from zoo.inference.noising import Noising, PredictionName
from zoo.tasks.drawing import ImageNoise
from zoo.tasks.independent_pixels import IndependentPixels
from zoo.tasks.pixels import Pixels, to_bytes

Sampler = Literal["ddim", "ddpm"]
Side = Literal["right", "left", "top", "bottom"]


class DenoisedImages:
    """What a task of such a network draws: new images, and hidden parts of given ones.

    Args:
        pixels: Of the data.
        shape: Of an image, (C, H, W).
        class_names: Of the data, K.
        drop_class: How often the network was not told the class; 1: never told.
        noising: How images became noise in training.
        kind: What the network was asked for.
        levels: L, to which what is drawn is rounded.
        steps, guidance: Of drawings, unless told.

    Raises:
        UserError: More steps than the noise has, or guidance that was not learnt.
    """

    def __init__(
        self,
        pixels: Pixels,
        shape: Sequence[int],
        class_names: Sequence[str],
        drop_class: float,
        noising: Noising,
        kind: PredictionName,
        levels: int,
        steps: int,
        guidance: float,
    ) -> None:
        self.pixels, self.shape, self.levels = pixels, tuple(shape), levels
        self.noising, self.kind = noising, kind
        self.drop_class = drop_class if class_names else 1.0
        self.class_names = list(class_names) if self.drop_class < 1 else []
        self.no_class = len(class_names)
        self.independent = IndependentPixels(levels)
        self.steps, self.guidance = steps, guidance
        self._checked(steps, guidance)

    def draw(
        self,
        model: nn.Module,
        classes: Tensor,
        generator: torch.Generator,
        steps: Positive | None = None,
        guidance: NotNegative | None = None,
        sampler: Sampler = "ddim",
    ) -> Tensor:
        """New images, uint8 (N, C, H, W).

        Args:
            model: In evaluation mode.
            classes: Of the images, int64 (N,), on the CPU.
            generator: On the CPU.
            steps: How many; null for the task's.
            guidance: How far to follow the class; null for the task's.
            sampler: `ddim` decides by the first noise, `ddpm` adds noise in each step.
        """
        for state in self.chain(model, classes, generator, steps, guidance, sampler):
            last = state.x
        return self.to_bytes(last)

    def chain(
        self,
        model: nn.Module,
        classes: Tensor,
        generator: torch.Generator,
        steps: int | None = None,
        guidance: float | None = None,
        sampler: Sampler = "ddim",
    ) -> Iterator[State]:
        """The states on the way from noise to images; the arguments are those of `draw`."""
        steps, guidance = self._checked(steps, guidance)
        device, source = next(model.parameters()).device, ImageNoise(len(classes), generator)

        def noise() -> Tensor:
            return source.normal(*self.shape).to(device)

        denoise = self._denoiser(model, classes.to(device), guidance)
        eta = 1.0 if sampler == "ddpm" else 0.0
        return chain(denoise, self.noising, noise(), steps, eta, noise)

    def redraw(
        self,
        model: nn.Module,
        batch: Batch,
        generator: torch.Generator,
        hide: Side = "right",
        steps: Positive | None = None,
        repeats: Positive = 5,
    ) -> Tensor:
        """Images of which one half is hidden and drawn anew, uint8 (N, C, H, W).

        Args:
            model: In evaluation mode.
            batch: `input`, standardised (N, C, H, W).
            generator: On the CPU.
            hide: The half.
            steps: How many; null for the task's.
            repeats: How often each step is taken, for the halves to fit.

        Raises:
            UserError: A model that was always told the class.
        """
        if self.class_names and self.drop_class == 0:
            raise UserError(
                "the model was always told the class, and an image to complete has none; train "
                "with task.drop_class=0.1"
            )
        unknown = torch.full((len(batch["input"]),), self.no_class)
        hidden = half(self.shape, hide)
        return self.repaint(model, batch["input"], hidden, unknown, generator, steps, repeats)

    def repaint(
        self,
        model: nn.Module,
        image: Tensor,
        hidden: Tensor,
        classes: Tensor,
        generator: torch.Generator,
        steps: int | None = None,
        repeats: int = 5,
    ) -> Tensor:
        """Images whose hidden part is drawn anew, to fit the rest; uint8 (N, C, H, W).

        Args:
            model, generator, steps, repeats: As in `redraw`.
            image: Standardised, (N, C, H, W).
            hidden: Bool (H, W), the part to draw.
            classes: Of the images, int64 (N,); K where they are not told.
        """
        steps, _ = self._checked(steps, 1.0)
        source = ImageNoise(len(image), generator)

        def noise() -> Tensor:
            return source.normal(*self.shape).to(image.device)

        denoise = self._denoiser(model, classes.to(image.device))
        known = self.pixels.to_signed(image)
        x = repaint(denoise, self.noising, known, hidden.to(image.device), steps, repeats, noise)
        return self.to_bytes(x)

    def to_bytes(self, image: Tensor) -> Tensor:
        """Images of -1..1 as the data stores them: the nearest of L levels, uint8."""
        return to_bytes(self.independent.level(image) / (self.levels - 1))

    def _denoiser(self, model: nn.Module, classes: Tensor, guidance: float = 1.0) -> Denoise:
        if not self.class_names:
            classes = torch.full_like(classes, self.no_class)
        return denoiser(model, self.noising, self.kind, classes, self.no_class, guidance)

    def _checked(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """The number of steps and the guidance to draw with.

        Raises:
            UserError: More steps than the task has times, or guidance that was not learnt.
        """
        steps = self.steps if steps is None else steps
        guidance = self.guidance if guidance is None else guidance
        if steps > self.noising.steps:
            raise UserError(
                f"steps={steps}: the noise has task.timesteps={self.noising.steps}; expected 1 to "
                f"{self.noising.steps}"
            )
        if guidance != 1 and not 0 < self.drop_class < 1:
            why = "has no classes" if not self.class_names else "was always told the class"
            raise UserError(
                f"guidance={guidance:g}: a model that {why} cannot be guided by it; leave guidance "
                f"at 1, or train with task.drop_class=0.1 on data with classes"
            )
        return steps, guidance


def half(shape: Sequence[int], side: Side) -> Tensor:
    """Which pixels of an image (C, H, W) are in a half, bool (H, W); the middle is in both."""
    _, high, wide = shape
    hidden = torch.zeros(high, wide, dtype=torch.bool)
    if side in ("left", "right"):
        columns = slice(wide // 2, None) if side == "right" else slice(-(-wide // 2))
        hidden[:, columns] = True
    else:
        hidden[slice(high // 2, None) if side == "bottom" else slice(-(-high // 2))] = True
    return hidden
