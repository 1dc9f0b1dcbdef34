"""Diffusion: a network learns to see the image in its noise, and draws by doing so step by step.

Ho et al., 2020 (DDPM), https://arxiv.org/abs/2006.11239. Each image gets noise of a random amount,
and the network is asked for the noise, or for v (zoo/inference/noising.py); at times it is not told
the class, so that drawing can be guided by what the class adds (Ho and Salimans, 2022,
arXiv:2207.12598).
Shapes: B batch, C channels, H height, W width, K classes, T times, L levels of a pixel.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from zoo.bounds import Bound, Natural, NotNegative, Positive
from zoo.inference.denoising import Denoise
from zoo.inference.noising import Noising, PredictionName, ScheduleName, to_predict
from zoo.inference.variational_bound import VariationalBound
from zoo.registry import TASKS
from zoo.rng import normal, scramble, uniform
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.denoised import DenoisedImages
from zoo.tasks.examples import diffusion
from zoo.tasks.judging import (
    JudgedDrawings,
    judged_baseline,
    judged_details,
    judged_metrics,
    judged_plots,
)
from zoo.tasks.pixels import Pixels, check_levels
from zoo.tasks.plots.diffusion import diffusion_plots, samples_frame

TIMES = 4  # at which each image is looked at in a validation, one in each quarter
BOUND_TIMES = 8  # by which the bound is estimated in a test
PREDICT_TIMES = 32  # likewise, for each class of an image to classify
STREAM_TIME, STREAM_CLASS, STREAM_NOISE = range(3)  # of random numbers


@TASKS.register("diffusion", example=diffusion, floor=0.4, independent=True)
class Diffusion(DenoisedImages, JudgedDrawings):
    """Squared error of what the network says of noised images, a mean over pixels; in a test also
    the variational bound of -log p(image), in bits for each pixel and channel.

    The noise of an image follows from a random number for each sample in training, and from the
    image itself in evaluation: batch size, micro-batches and, in evaluation, ranks change nothing.

    Args:
        pixel_mean, pixel_std: Of each channel, of pixels 0..1.
        input_shape: Of an image, (C, H, W).
        class_names: Of the K classes; none where the data has none.
        schedule: How fast images become noise: `cosine` or `linear`.
        timesteps: T.
        predict: What the network is asked for: `v` or `noise`.
        drop_class: How often it is not told the class; 1: never told, images without a choice.
        levels: L, evenly spaced values that the data's pixels take, 256 for bytes.
        steps: With which previews are drawn, and `draw` unless told.
        guidance: Likewise: how far to follow the class, 1 for what was learnt.
        classify: In a test, times by which each image is also classified, by the bound of each
            class (Li et al., 2023, arXiv:2303.16203); 0: not.
    """

    monitor: str = "-loss"
    films = True

    def __init__(
        self,
        pixel_mean: list[float],
        pixel_std: list[float],
        input_shape: tuple[int, ...],
        class_names: list[str] | None = None,
        schedule: ScheduleName = "cosine",
        timesteps: Annotated[int, Bound(least=2)] = 1000,
        predict: PredictionName = "v",
        drop_class: Annotated[float, Bound(least=0, most=1)] = 0.1,
        levels: Annotated[int, Bound(least=2, most=256)] = 256,
        steps: Positive = 20,
        guidance: NotNegative = 1.0,
        classify: Natural = 0,
    ) -> None:
        super().__init__(
            Pixels(pixel_mean, pixel_std),
            input_shape,
            class_names or [],
            drop_class,
            Noising(schedule, timesteps),
            predict,
            levels,
            steps,
            guidance,
        )
        self.bound, self.classify = VariationalBound(self.noising, levels), classify
        self._fits = False  # whether a batch was seen to have these levels

    # ---------------------------------------------------------------- the loss

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of standardised `input` (B, C, H, W) and, with classes, `target`."""
        image, classes = self._read(batch)
        count = torch.full((), len(image), device=image.device)
        if model.training:
            seeds = torch.randint(2**62, (len(image),), device=image.device)
            dropped = uniform(seeds, STREAM_CLASS) < self.drop_class
            classes = classes.masked_fill(dropped, self.no_class)
            time = self._times(uniform(seeds, STREAM_TIME))
            loss, _ = self._errors(model, image, classes, time, self._noise(seeds, 0, image))
            return StepOutput(loss.sum(), count, {})
        seeds, losses, trivial = content_seeds(self.pixels.to_unit(batch["input"])), [], []
        for k in range(TIMES):
            time = self._times((k + uniform(seeds, STREAM_TIME)) / TIMES)
            noise = self._noise(seeds, k, image)
            loss, independent = self._errors(model, image, classes, time, noise)
            losses.append(loss.sum())
            trivial.append(independent.sum())
        sums = {"trivial_loss": torch.stack(trivial).mean()} if self.independent.is_learnt else {}
        return StepOutput(torch.stack(losses).mean(), count, sums)

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images of -1..1 and their classes, K where they are not told."""
        image = self.pixels.to_signed(batch["input"])
        if not self._fits:
            check_levels((image + 1) / 2, self.levels)
            self._fits = True
        if self.class_names and "target" in batch:
            return image, batch["target"]
        return image, torch.full((len(image),), self.no_class, device=image.device)

    def _times(self, uniform: Tensor) -> Tensor:
        """1 to T, int64, of numbers in [0, 1)."""
        return (uniform.double() * self.noising.steps).long().clamp(max=self.noising.steps - 1) + 1

    def _noise(self, seeds: Tensor, k: int, like: Tensor) -> Tensor:
        """The noise number k of each image, of the shape and type of `like`."""
        noise = normal(seeds, STREAM_NOISE + k, like[0].numel())
        return noise.view(like.shape).to(like.dtype)

    def _errors(
        self, model: nn.Module, image: Tensor, classes: Tensor, time: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The mean squared error of each image (B,), and that of the trivial answer."""
        a, s = self.noising.at(time, image)
        x = a * image + s * noise
        said = model(x, time / self.noising.steps, classes)
        said = said if said.dtype == torch.float64 else said.float()
        error = (said - to_predict(self.kind, image, noise, a, s)).square().flatten(1).mean(1)
        if not self.independent.is_learnt:
            return error, error
        off = (self.independent.denoise(x, a, s) - image).square().flatten(1).mean(1)
        factor = (a if self.kind == "noise" else torch.ones_like(a)) / s
        return error, off * factor.square().flatten()

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The same, the bound, and whether it is least of the true class."""
        output = self.step(model, batch)
        image, classes = self._read(batch)
        seeds = content_seeds(self.pixels.to_unit(batch["input"]))
        denoise = self._denoiser(model, classes)
        bits = self._nats(denoise, image, seeds, BOUND_TIMES) / (math.log(2) * image[0].numel())
        sums = {"bits_per_value": bits.sum()}
        if self.independent.is_learnt:
            sums["trivial_bits"] = self.independent.bits_of(image).sum() / image[0].numel()
        if self.classify and self.class_names:
            found = self.bits_by_class(model, batch["input"], self.classify).argmin(1)
            sums["accuracy"] = (found == batch["target"]).sum()
        return output._replace(sums=output.sums | sums)

    def _nats(self, denoise: Denoise, image: Tensor, seeds: Tensor, times: int) -> Tensor:
        """The bound of each image, by so many times."""
        first = uniform(seeds, STREAM_TIME)[:, None]
        at = (first + torch.arange(times, device=image.device)) / times  # (B, M)
        noise = torch.stack([self._noise(seeds, k, image) for k in range(times + 1)])
        return self.bound.nats(denoise, image, at, noise)

    # ------------------------------------------------------------- what it says

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """The loss; in a test, the bound in bits for each pixel and channel, and the judge's."""
        names = ("loss", "bits_per_value", "accuracy")
        return {name: float(means[name]) for name in names if name in means} | judged_metrics(means)

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each pixel takes each level, int64 (C, H, W, L)."""
        return self.independent.counts(self.pixels.to_signed(batch["input"]))

    def learn_baseline(self, counts: Tensor) -> None:
        """From the counts over the training split."""
        self.independent.learn(counts)

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """Pixels that know nothing of each other."""
        names = {"loss": "trivial_loss", "bits_per_value": "trivial_bits"}
        metrics = {name: float(means[sum]) for name, sum in names.items() if sum in means}
        drawn = judged_baseline(means)
        name = "independent pixels" + ", Gaussians" * bool(drawn)
        return Baseline(name, metrics | drawn) if metrics else None

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """The levels that the bits are of; in a test, how drawn images compare with real ones."""
        return {"levels": self.levels} | judged_details(means)

    # ------------------------------------------------------------ other answers

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Samples by the number of steps, the chain from noise to images, repainted parts."""
        diffusion_plots(self, model, batch, writer)
        judged_plots(means, writer)

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """What one noise becomes, of each class."""
        samples_frame(self, model, writer)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The bound of each image in bits per pixel and channel; with classes, the class by which
        it is most likely, all of them being as likely before."""
        level = self.independent.level(self.pixels.to_signed(batch["input"]))  # the nearest
        image = self.pixels.standardise(level / (self.levels - 1))
        bits = self.bits_by_class(model, image, PREDICT_TIMES)  # (B, K)
        logits = -bits * math.log(2) * image[0].numel()
        for row, each in zip(logits.softmax(1).tolist(), bits.tolist()):
            best = max(range(len(row)), key=row.__getitem__)
            if not self.class_names:
                yield {"bits_per_value": each[0]}
                continue
            yield {
                "class": self.class_names[best],
                "probability": row[best],
                "probabilities": dict(zip(self.class_names, row)),
                "bits_per_value": each[best],
            }

    def bits_by_class(self, model: nn.Module, standardised: Tensor, times: int) -> Tensor:
        """The bound of each image as each class, with the same noise, in bits per pixel and
        channel: (B, K), or (B, 1) without classes."""
        image = self.pixels.to_signed(standardised)
        seeds = content_seeds(self.pixels.to_unit(standardised))
        bits = []
        for k in range(max(1, len(self.class_names))):
            classes = torch.full((len(image),), k, device=image.device)
            denoise = self._denoiser(model, classes)
            nats = self._nats(denoise, image, seeds, times)
            bits.append(nats / (math.log(2) * image[0].numel()))
        return torch.stack(bits, dim=1)


def content_seeds(unit: Tensor) -> Tensor:
    """A number for each image of 0..1, (B, C, H, W), that follows from its pixels: int64 (B,)."""
    level = (255 * unit).round().long().flatten(1)
    position = scramble(torch.arange(1, level.shape[1] + 1, device=level.device))
    return scramble((scramble(level + 1) * (position | 1)).sum(1))
