"""The evidence lower bound of a model with codes: how well images are restored from a code, less
what the code says of them.

Kingma and Welling, 2013, https://arxiv.org/abs/1312.6114. The weight on the second part is that of
Higgins et al., 2017 (https://openreview.net/forum?id=Sy2fzU9gl); the estimate of the likelihood
itself, at test, is that of Burda et al., 2016, https://arxiv.org/abs/1509.00519.
Shapes: B batch, S codes of an image, C channels, H height, W width, Z code, P parameters of a
pixel, L levels.
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from zoo.bounds import Bound, NotNegative, Positive
from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.drawing import ImageNoise
from zoo.tasks.examples import pictures
from zoo.tasks.judging import (
    JudgedDrawings,
    judged_baseline,
    judged_details,
    judged_metrics,
    judged_plots,
)
from zoo.tasks.likelihoods import Bernoulli, Logistic, divergence, log_mean
from zoo.tasks.pixels import Pixels, check_levels, to_bytes
from zoo.tasks.plots.codes import code_plots, codes_frame

VALUES_AT_ONCE = 2**23  # decoded pixels while the likelihood is estimated
PREDICTION_SAMPLES = 200  # codes of an image in a prediction
CODES_SEED = 0
BITS = 1 / math.log(2)


@TASKS.register("elbo", example=pictures, floor=60.0, independent=True)
class Elbo(JudgedDrawings):
    """Minus the bound, in nats for an image; its two parts; at test minus the log-likelihood.

    Training minimises restoration + beta x code. What is reported as `loss` has beta 1.

    Args:
        input_shape: (C, H, W).
        pixel_mean, pixel_std: Of each channel, on the scale 0..1.
        class_names: Of the data; None where it has none.
        likelihood: Of a pixel, as the model's: `logistic` for levels of grey, `bernoulli` for black
            and white, which grey pixels become at random, anew each time.
        levels: Levels that the data has, for `logistic`: 256, or fewer (digits has 17).
        conditional: Whether the model is told the class, as model.conditional.
        beta: Weight of the code's part in training.
        importance_samples: Codes of each image of the test split by which its likelihood is
            estimated.
    """

    monitor = "-loss"
    films = True

    def __init__(
        self,
        input_shape: tuple[int, ...],
        pixel_mean: list[float],
        pixel_std: list[float],
        class_names: list[str] | None = None,
        likelihood: Literal["bernoulli", "logistic"] = "logistic",
        levels: Annotated[int, Bound(least=2, most=256)] = 256,
        conditional: bool = False,
        beta: NotNegative = 1.0,
        importance_samples: Positive = 500,
    ) -> None:
        if conditional and not class_names:
            raise UserError("task.conditional=true needs data with classes; set it to false")
        self.pixels = Pixels(pixel_mean, pixel_std)
        self.known_classes = list(class_names or ())
        self.class_names = self.known_classes if conditional else []
        self.kind = Bernoulli() if likelihood == "bernoulli" else Logistic(levels)
        self.beta, self.importance_samples = beta, importance_samples
        self.values = math.prod(input_shape)
        self._fits = likelihood == "bernoulli"  # else: whether a batch was seen to have the levels
        self.shares: Tensor | None = None  # of levels in the training split, (C H W, L)

    # ---------------------------------------------------------------- training

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, C, H, W), and `target` (B,) where it is conditional."""
        seen, x, classes = self._observed(batch)
        noise = torch.randn(len(x), codes_of(model).latent, dtype=x.dtype, device=x.device)
        mean, log_variance, parameters = model(x, classes, noise)
        self._check(parameters)
        wide = torch.promote_types(parameters.dtype, torch.float32)  # for sums over pixels
        restoration = -self.kind.log_likelihood(seen, parameters.to(wide))  # (B,)
        code = divergence(mean, log_variance)  # (B,)
        bound = (restoration + code).sum()
        sums = {"restoration": restoration.detach().sum(), "code": code.detach().sum()}
        count = torch.full((), len(x), device=x.device)
        if not model.training:
            return StepOutput(bound, count, sums | {"levels": self._levels(seen)})
        loss = bound if self.beta == 1 else (restoration + self.beta * code).sum()
        return StepOutput(loss, count, sums | {"loss": bound.detach()})

    def test_step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """The same by many codes of each image: the bound more exactly, and the likelihood."""
        seen, x, classes = self._observed(batch)
        inner = codes_of(model)
        weights = self._log_weights(inner, seen, x, classes, self.importance_samples)  # (B, S)
        code = divergence(*inner.encode(x, classes)).sum()
        bound = weights.mean(1).sum()
        sums = {
            "restoration": -bound - code,
            "code": code,
            "nll": -log_mean(weights).sum(),
            "levels": self._levels(seen),
        }
        return StepOutput(-bound, torch.full((), len(x), device=x.device), sums)

    def _observed(
        self, batch: Batch, at_random: bool = True
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The pixels 0..1 that the likelihood is of, the same standardised, and the classes."""
        unit = self.pixels.to_unit(batch["input"]).clamp(0, 1)
        if at_random and not self._fits:  # for a loss: an image to restore may be any
            check_levels(unit, self.kind.levels)
            self._fits = True
        seen = self.kind.observe(unit, at_random)
        classes = batch.get("target") if self.class_names else None
        return seen, self.pixels.standardise(seen), classes

    def _check(self, parameters: Tensor) -> None:
        if parameters.shape[1] != self.kind.parameters:
            other = "logistic" if self.kind.name == "bernoulli" else "bernoulli"
            raise UserError(
                f"task.likelihood={self.kind.name}, but the model gives a pixel the parameters of "
                f"{other}; set model.likelihood={self.kind.name}"
            )

    def _log_weights(
        self, inner: Any, seen: Tensor, x: Tensor, classes: Tensor | None, samples: int
    ) -> Tensor:
        """log p(x, z) - log q(z | x) of codes z drawn from q, (B, S).

        All images have the same random numbers, of a seed of their own: the estimate of an image
        depends on it alone, not on its batch.
        """
        mean, log_variance = (part.float() for part in inner.encode(x, classes))
        generator = torch.Generator().manual_seed(CODES_SEED)
        noise = torch.randn(samples, mean.shape[1], generator=generator).to(mean.device)
        weights = []
        for part in noise.split(max(1, VALUES_AT_ONCE // (len(x) * self.values))):
            z = mean[:, None] + (0.5 * log_variance).exp()[:, None] * part  # (B, s, Z)
            repeated = None if classes is None else classes.repeat_interleave(len(part))
            parameters = inner.decode(z.flatten(0, 1).to(x.dtype), repeated)
            self._check(parameters)
            parameters = parameters.float().unflatten(0, z.shape[:2])  # (B, s, P, C, H, W)
            ratio = 0.5 * (part.square() - z.square() + log_variance[:, None]).sum(2)
            weights.append(self.kind.log_likelihood(seen[:, None], parameters) + ratio)
        return torch.cat(weights, 1)

    # --------------------------------------------------------------- reporting

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """The bound and its parts, the likelihood (at test) by image and value, the judge's."""
        names = ("loss", "restoration", "code", "nll")
        metrics = {name: float(means[name]) for name in names if name in means}
        return metrics | self._bits(metrics) | judged_metrics(means)

    def _bits(self, metrics: dict[str, float]) -> dict[str, float]:
        return {"bits_per_value": metrics.get("nll", metrics["loss"]) * BITS / self.values}

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Of the test split, how what is drawn compares with real images."""
        return judged_details(means)

    def _levels(self, seen: Tensor) -> Tensor:
        """How often each value has each level, (C H W, L)."""
        index = (seen * (self.kind.levels - 1)).round().long().flatten(1)  # (B, C H W)
        places = index + self.kind.levels * torch.arange(self.values, device=index.device)
        counts = torch.zeros(self.values * self.kind.levels, device=index.device)
        ones = torch.ones((), device=index.device).expand(places.numel())
        return counts.scatter_add_(0, places.flatten(), ones).view(self.values, -1)

    def baseline_counts(self, batch: Batch) -> Tensor:
        """How often each value has each level; black and white by brightness, not at random."""
        unit = self.pixels.to_unit(batch["input"]).clamp(0, 1)
        if self.kind.levels > 2:
            return self._levels(self.kind.observe(unit)).double()
        white = unit.flatten(1).sum(0, dtype=torch.float64)
        return torch.stack([len(unit) - white, white], 1)

    def learn_baseline(self, counts: Tensor) -> None:
        """Shares of levels, each counted once more over all levels, so that none is impossible."""
        counts = counts + 1 / self.kind.levels
        self.shares = counts / counts.sum(1, keepdim=True)

    def baseline(self, means: dict[str, Tensor]) -> Baseline | None:
        """Every pixel by itself, its levels as often as in training; a Gaussian of each class for
        what is drawn."""
        if self.shares is None:
            return None
        loss = -float((means["levels"].cpu() * self.shares.log()).sum())
        metrics = {"loss": loss, "restoration": loss, "code": 0.0}
        metrics |= {"nll": loss} if "nll" in means else {}
        metrics, drawn = metrics | self._bits(metrics), judged_baseline(means)
        return Baseline("independent pixels" + ", Gaussians" * bool(drawn), metrics | drawn)

    # ----------------------------------------------------------------- drawing

    def draw(
        self,
        model: nn.Module,
        classes: Tensor,
        generator: torch.Generator,
        temperature: NotNegative = 1.0,
        pixels: Literal["drawn", "mean"] = "drawn",
    ) -> Tensor:
        """Images of codes from the prior, uint8 (N, C, H, W).

        Args:
            model: In evaluation mode.
            classes: Int64 (N,).
            generator: On the CPU.
            temperature: On the deviation of codes; below 1 images are more typical, and more alike.
            pixels: Drawn from the distribution that the code gives each, or its mean, which looks
                smoother and is no sample.
        """
        inner = codes_of(model)
        device = next(inner.parameters()).device
        noise = ImageNoise(len(classes), generator)
        z = temperature * noise.normal(inner.latent).to(device)
        parameters = inner.decode(z, classes.to(device) if self.class_names else None).float()
        if pixels == "mean":
            return to_bytes(self.kind.mean(parameters))
        uniform = noise.uniform(*parameters.shape[2:]).to(device)
        return to_bytes(self.kind.draw(parameters, uniform))

    def redraw(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Tensor:
        """Images restored from the mean of their codes, uint8 (N, C, H, W)."""
        seen, x, _ = self._observed(batch, at_random=False)
        classes = None
        if self.class_names:
            classes = self._by_class(model, seen, x).mean(2).argmax(1)
        return to_bytes(self.kind.mean(model(x, classes)[2].float()))

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """The bound and the log-likelihood of each image, in nats; of a conditional model the
        class by which they are highest, all being equally frequent."""
        seen, x, _ = self._observed(batch, at_random=False)
        weights = self._by_class(model, seen, x)  # (B, K, S)
        likelihood = log_mean(weights)  # (B, K)
        for bounds, nats in zip(weights.mean(2).cpu(), likelihood.cpu()):
            best = int(nats.argmax())
            row: dict[str, Any] = {}
            if self.class_names:
                shares = nats.softmax(0).tolist()
                row = {"class": self.class_names[best], "probability": shares[best]}
                row["probabilities"] = dict(zip(self.class_names, shares))
            yield row | {"bound": float(bounds[best]), "log_likelihood": float(nats[best])}

    def _by_class(self, model: nn.Module, seen: Tensor, x: Tensor) -> Tensor:
        """The log weights of codes by each class, (B, K, S); K is 1 without classes."""
        found = []
        for k in range(max(1, len(self.class_names))):
            classes = torch.full((len(x),), k, device=x.device) if self.class_names else None
            parts = (codes_of(model), seen, x, classes, PREDICTION_SAMPLES)
            found.append(self._log_weights(*parts))
        return torch.stack(found, 1)

    # ---------------------------------------------------------------- pictures

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Drawn images, restored ones, the way from one to another, the plane of codes."""
        seen, x, classes = self._observed(batch, at_random=False)
        code_plots(self, codes_of(model), seen, x, classes, batch.get("target"), writer)
        judged_plots(means, writer)

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """What the same codes become."""
        codes_frame(self, codes_of(model), writer)


def codes_of(model: nn.Module) -> Any:
    """The model that encodes and decodes, out of its wrapper for several devices.

    Raises:
        UserError: It does not.
    """
    inner = getattr(model, "module", model)
    if not hasattr(inner, "encode") or not hasattr(inner, "decode"):
        raise UserError(
            f"task=elbo needs a model with encode, decode and latent, as model=vae; got "
            f"{type(inner).__name__}"
        )
    return inner
