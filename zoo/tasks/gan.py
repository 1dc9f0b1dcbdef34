"""The game of a GAN: a generator draws images, a discriminator tells them from real ones.

Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661, with the loss for the generator that does
not saturate (section 3); the class losses of AC-GAN (Odena et al., 2017, arXiv:1610.09585), the
discriminator's on real images alone; R1 and R2 (Mescheder et al., 2018, arXiv:1801.04406). Or each
drawn image against a real one: the relativistic loss (Jolicoeur-Martineau, 2019, arXiv:1807.00734),
which with both penalties leaves out fewer kinds of images (Huang et al., 2024, arXiv:2501.05441).
Both players are trained in one step: see `zoo.models.gan.GAN.forward` for who gets which gradient.
Shapes: B batch, K classes, Z noise, C channels, H height, W width.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import NotNegative
from zoo.errors import UserError
from zoo.judge.frechet import frechet_distance
from zoo.judge.images import averaged
from zoo.registry import TASKS
from zoo.tasks.base import Baseline, Batch, PreviewWriter, StepOutput
from zoo.tasks.drawing import ImageNoise, grid
from zoo.tasks.examples import SAMPLES, MakeTokenizer, TaskExample, Tiny, pictures
from zoo.tasks.judging import (
    JudgedDrawings,
    judged_baseline,
    judged_details,
    judged_metrics,
    judged_plots,
)
from zoo.tasks.pixels import Pixels, to_bytes
from zoo.tasks.plots.game import game_card
from zoo.tasks.plots.images import image_card, images_plots

PLAYERS = ("discriminator_loss", "generator_loss")
ROWS = 10  # of the pictures of drawn images
NOISE_SEED = 0
COMPARED = 32  # drawn images of a class that an image is compared with


def game(tiny: Tiny, make_tokenizer: MakeTokenizer) -> TaskExample:
    """Images and the noise that others are drawn from."""
    example = pictures(tiny, make_tokenizer)
    noise = torch.randn(SAMPLES, tiny["noise"])
    return TaskExample(
        example.facts | {"class_counts": example.batch["target"].bincount().tolist()},
        example.batch | {"noise": noise},
        lambda batch: (batch["input"], batch["noise"].to(batch["input"]), batch["target"]),
    )


@TASKS.register("gan", example=game, floor=3.0, independent=True)
class Adversarial(JudgedDrawings):
    """The losses of both players, added; how far drawn images are from real ones.

    Where neither player can improve, the discriminator cannot tell: its loss is 2 log 2 (log 2 if
    relativistic), the generator's log 2. `accuracy` is that of the discriminator's class head on
    real images. The best weights are those of the smallest `pixel_distance`: the Frechet distance
    of drawn and real images, each as its pixels of 0..1 and its class (one-hot); images of more
    than 1,024 values are averaged down to that.

    Args:
        num_classes: K.
        class_names: Of the K classes.
        class_counts: Samples of each class in the training split.
        pixel_mean, pixel_std: Of each channel, on the scale 0..1.
        class_weight: Of the generator's class loss. Large, images are of the right class and all
            alike: those that are easiest to recognise.
        r1, r2: Weights of half the gradient penalty at real images, and at drawn ones.
        relativistic: Whether the discriminator says how much more real a real image is than a drawn
            one, instead of judging each.
    """

    monitor = "-pixel_distance"
    films = True

    def __init__(
        self,
        num_classes: int,
        class_names: list[str],
        class_counts: list[int],
        pixel_mean: list[float],
        pixel_std: list[float],
        class_weight: NotNegative = 0.1,
        r1: NotNegative = 0.1,
        r2: NotNegative = 0.0,
        relativistic: bool = False,
    ) -> None:
        self.num_classes, self.class_names = num_classes, class_names
        self.most_frequent = max(range(num_classes), key=class_counts.__getitem__)
        self.pixels = Pixels(pixel_mean, pixel_std)
        self.class_weight, self.r1, self.r2 = class_weight, r1, r2
        self.relativistic = relativistic
        # the losses of both players where the discriminator cannot tell
        self.equilibrium = ((1 if relativistic else 2) * math.log(2), math.log(2))
        self.losses: list[tuple[float, float]] = []  # of the validations since the last start

    def step(self, model: nn.Module, batch: Batch) -> StepOutput:
        """Sums over a batch of `input` (B, C, H, W) and `target` (B,)."""
        images, classes = self.pixels.to_signed(batch["input"]), batch["target"]
        noise = torch.randn(len(images), players_of(model).noise, device=images.device)
        inputs = (images, noise.to(images.dtype), classes, self.r2 > 0)
        real, drawn, judged, real_penalty, drawn_penalty = model(*inputs)
        discriminator, generator = self._losses(*(x.real.float() for x in (real, drawn, judged)))
        real_class = F.cross_entropy(real.classes.float(), classes, reduction="none")
        drawn_class = F.cross_entropy(judged.classes.float(), classes, reduction="none")
        loss = discriminator + generator + real_class + self.class_weight * drawn_class
        loss = loss + self.r1 / 2 * real_penalty + self.r2 / 2 * drawn_penalty
        sums = {
            "discriminator_loss": discriminator.sum(),
            "generator_loss": generator.sum(),
            "accuracy": (real.classes.argmax(1) == classes).sum(),
        }
        count = torch.full((), len(images), device=images.device)
        sums = {name: value.detach() for name, value in sums.items()}
        if model.training:
            return StepOutput(loss.sum(), count, sums)
        sums["most_frequent"] = (classes == self.most_frequent).sum()
        return StepOutput(loss.sum(), count, sums, self._rows(model, images, noise, classes))

    def _losses(self, real: Tensor, drawn: Tensor, judged: Tensor) -> tuple[Tensor, Tensor]:
        """Of the discriminator and of the generator, (B,), by the logits of a round."""
        if self.relativistic:
            return F.softplus(drawn - real), F.softplus(real.detach() - judged)
        return F.softplus(-real) + F.softplus(drawn), F.softplus(-judged)

    def _rows(
        self, model: nn.Module, images: Tensor, noise: Tensor, classes: Tensor
    ) -> dict[str, Tensor]:
        drawn = players_of(model).generator(noise.to(images.dtype), classes)
        unit = {"real": (images + 1) / 2, "drawn": (drawn + 1) / 2}
        rows = {name: averaged(x.float()).flatten(1) for name, x in unit.items()}
        return rows | {"class": classes}

    def split_metrics(self, rows: dict[str, Tensor]) -> dict[str, Tensor]:
        """The Frechet distance of images with their classes: of the drawn ones, and of the mean
        image of each class."""
        classes = F.one_hot(rows["class"], self.num_classes).float()  # (N, K)
        means = classes.mT @ rows["real"] / classes.sum(0).clamp(min=1)[:, None]
        real = torch.cat([rows["real"], classes], 1)
        others = {"pixel_distance": rows["drawn"], "mean_distance": means[rows["class"]]}
        return {
            name: torch.tensor(
                frechet_distance(real, torch.cat([other, classes], 1)), dtype=torch.float64
            )
            for name, other in others.items()
        }

    # --------------------------------------------------------------- reporting

    def summarize(self, means: dict[str, Tensor]) -> dict[str, float]:
        """Both losses, the class head's accuracy, the distance; at the end the judge's figures."""
        names = ("loss", *PLAYERS, "accuracy", "pixel_distance")
        return {n: float(means[n]) for n in names if n in means} | judged_metrics(means)

    def details(self, means: dict[str, Tensor]) -> dict[str, Any]:
        """Of the test split, how what is drawn compares with real images."""
        return judged_details(means)

    def baseline(self, means: dict[str, Tensor]) -> Baseline:
        """The mean image of each class, and a discriminator that knows nothing; at the end, images
        drawn from a Gaussian of each class."""
        loss = sum(self.equilibrium) + (1 + self.class_weight) * math.log(self.num_classes)
        metrics = {
            "loss": loss,
            **dict(zip(PLAYERS, self.equilibrium)),
            "accuracy": float(means["most_frequent"]),
            "pixel_distance": float(means["mean_distance"]),
        }
        drawn = judged_baseline(means)
        return Baseline("class means" + ", class Gaussians" * bool(drawn), metrics | drawn)

    # ----------------------------------------------------------------- drawing

    def draw(self, model: nn.Module, classes: Tensor, generator: torch.Generator) -> Tensor:
        """Images of these classes, uint8 (N, C, H, W).

        Args:
            model: In evaluation mode.
            classes: Int64 (N,).
            generator: On the CPU.
        """
        players = players_of(model)
        device = next(players.parameters()).device
        noise = ImageNoise(len(classes), generator).normal(players.noise)
        drawn = players.generator(noise.to(device), classes.to(device))
        return to_bytes((drawn.float() + 1) / 2)

    def predict(self, model: nn.Module, batch: Batch) -> Iterator[dict[str, Any]]:
        """What the discriminator says of each image: its class, and how likely it is real; if
        relativistic, how likely it is more real than one drawn of that class."""
        players = players_of(model)
        said = players.discriminator(self.pixels.to_signed(batch["input"]))
        shares, real = said.classes.float().softmax(1).tolist(), self._how_real(players, said)
        for row, is_real in zip(shares, real.tolist()):
            best = max(range(len(row)), key=row.__getitem__)
            yield {
                "class": self.class_names[best],
                "probability": row[best],
                "real": is_real,
                "probabilities": dict(zip(self.class_names, row)),
            }

    def _how_real(self, players: Any, said: Any) -> Tensor:
        """Probabilities (B,). A relativistic logit says something beside another one alone."""
        real = said.real.float()
        if not self.relativistic:
            return real.sigmoid()
        generator = torch.Generator().manual_seed(NOISE_SEED)
        noise = torch.randn(COMPARED, players.noise, generator=generator).to(real.device)
        found, own = said.classes.argmax(1).unique(return_inverse=True)
        drawn = []
        for k in found:
            classes = k.expand(COMPARED)
            drawn.append(players.discriminator(players.generator(noise, classes), classes).real)
        return (real[:, None] - torch.stack(drawn).float()[own]).sigmoid().mean(1)

    # ---------------------------------------------------------------- pictures

    def _of_fixed_noise(self, model: nn.Module, rows: int) -> tuple[Tensor, int]:
        """The same noise each time, a column for each class; the images and the columns."""
        columns = min(self.num_classes, ROWS)
        classes = torch.arange(columns).repeat(rows)
        generator = torch.Generator().manual_seed(NOISE_SEED)
        return self.draw(model, classes, generator), columns

    def preview(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Drawn images, a column for each class; both losses; the nearest training images."""
        images, columns = self._of_fixed_noise(model, ROWS)
        caption = "What the generator draws, a column for each class."
        images_plots("drawn", "Drawn images", images, writer, caption, columns)
        if len(self.losses) > 1:
            caption = (
                "Losses of both players on the validation split; dashed: where the discriminator "
                "cannot tell drawn images from real ones."
            )
            writer.figure("game", game_card(self.losses, self.equilibrium), None, caption)
        judged_plots(means, writer)

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """What the same noise becomes during training."""
        self.losses.append((float(means[PLAYERS[0]]), float(means[PLAYERS[1]])))

        def draw() -> Any:
            images, columns = self._of_fixed_noise(model, 5)
            return image_card("Drawn of the same noise", grid(images, columns))

        writer.frame("drawn", draw, "What the same noise becomes, a column for each class.")


def players_of(model: nn.Module) -> Any:
    """The model with both players, out of its wrapper for several devices.

    Raises:
        UserError: It has none.
    """
    inner = getattr(model, "module", model)
    if not hasattr(inner, "noise"):
        raise UserError(
            f"task=gan needs a model with generator, discriminator and noise, as model=gan; got "
            f"{type(inner).__name__}"
        )
    return inner
