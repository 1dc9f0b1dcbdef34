"""GAN: a generator that draws images, and a discriminator that tells them from real ones.

Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661; convolutional as DCGAN (Radford et al.,
2016, arXiv:1511.06434), with the class head of AC-GAN (Odena et al., 2017, arXiv:1610.09585); on
request a discriminator that judges an image as one of its class, by the projection of Miyato and
Koyama (2018, arXiv:1802.05637, equation 4).
Differs from DCGAN: images are enlarged by repeating pixels and then convolved, not by transposed
convolutions, which leave a checkerboard (Odena et al., 2016); the discriminator has no batch
normalisation, but spectral normalisation (Miyato et al., 2018, arXiv:1802.05957) on request; it may
be kept smooth by R1 (Mescheder et al., 2018, arXiv:1801.04406).
Shapes: B batch, C channels, H and W height and width, K classes, Z numbers of noise, D width.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from zoo.bounds import Positive
from zoo.errors import need_images
from zoo.registry import MODELS


class DiscriminatorOutput(NamedTuple):
    """The discriminator's logits for images: of being real (B,), or with projection of being a real
    image of their class; and of the classes (B, K)."""

    real: Tensor
    classes: Tensor


class GANOutput(NamedTuple):
    """One round of the game.

    Attributes:
        of_real: The discriminator's output on real images.
        of_drawn: That on drawn images; its gradient does not reach the generator.
        of_generator: The same values; their gradient reaches the generator only.
        gradient_penalty: R1, the squared gradient of `of_real.real` by the pixels, (B,); zero in
            evaluation.
        drawn_penalty: R2, the same at drawn images; zero unless asked for.
    """

    of_real: DiscriminatorOutput
    of_drawn: DiscriminatorOutput
    of_generator: DiscriminatorOutput
    gradient_penalty: Tensor
    drawn_penalty: Tensor


class Generator(nn.Module):
    """Noise and a class to an image of -1..1."""

    def __init__(
        self, channels: int, size: tuple[int, int], num_classes: int, noise: int, width: int
    ) -> None:
        super().__init__()
        stages = halvings(size)
        self.start = (width * 2**stages, size[0] >> stages, size[1] >> stages)
        self.embedding = nn.Embedding(num_classes, noise)
        self.project = nn.Linear(2 * noise, self.start[0] * self.start[1] * self.start[2])
        layers: list[nn.Module] = [nn.BatchNorm2d(self.start[0]), nn.ReLU()]
        for stage in reversed(range(stages)):
            layers += [
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width * 2 ** (stage + 1), width * 2**stage, 3, padding=1, bias=False),
                nn.BatchNorm2d(width * 2**stage),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        """(B, Z) and (B,) to (B, C, H, W)."""
        x = self.project(torch.cat([noise, self.embedding(classes)], dim=1))
        return self.layers(x.view(-1, *self.start))


class Discriminator(nn.Module):
    """An image of -1..1 to the logits of being real and of its class."""

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        num_classes: int,
        width: int,
        spectral: bool,
        projection: bool,
    ) -> None:
        super().__init__()
        norm = spectral_norm if spectral else (lambda layer: layer)
        stages = halvings(size)
        layers: list[nn.Module] = [
            norm(nn.Conv2d(channels, width, 3, padding=1)),
            nn.LeakyReLU(0.2),
        ]
        for stage in range(stages):
            halving = nn.Conv2d(width * 2**stage, width * 2 ** (stage + 1), 4, 2, padding=1)
            layers += [norm(halving), nn.LeakyReLU(0.2)]
        features = (width << stages) * (size[0] >> stages) * (size[1] >> stages)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = norm(nn.Linear(features, 1))
        self.class_head = norm(nn.Linear(features, num_classes))
        self.projection = norm(nn.Linear(features, num_classes, bias=False)) if projection else None

    def forward(self, images: Tensor, classes: Tensor | None = None) -> DiscriminatorOutput:
        """Images (B, C, H, W) and their classes (B,), by default the most probable ones."""
        x = self.layers(images)
        real, found = self.head(x).squeeze(1), self.class_head(x)
        if self.projection is not None:
            classes = found.argmax(1) if classes is None else classes
            real = real + self.projection(x).gather(1, classes[:, None]).squeeze(1)
        return DiscriminatorOutput(real, found)


@MODELS.register(
    "gan",
    task="gan",
    tiny=dict(input_shape=(1, 4, 4), num_classes=3, noise=4, width=2),
)
class GAN(nn.Module):
    """Generator and discriminator.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, K.
        noise: Z, random numbers that an image is drawn from.
        width: D, channels at the full size of the image; they double with each halving.
        spectral_norm: Whether the discriminator's layers are divided by their largest singular
            value.
        projection: Whether the discriminator is told the class of an image that it judges.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        noise: Positive = 64,
        width: Positive = 32,
        spectral_norm: bool = False,
        projection: bool = False,
    ) -> None:
        super().__init__()
        need_images("gan", input_shape)
        channels, height, width_px = input_shape
        size = (height, width_px)
        self.noise = noise
        self.generator = Generator(channels, size, num_classes, noise, width)
        self.discriminator = Discriminator(
            channels, size, num_classes, width, spectral_norm, projection
        )

    def forward(
        self, images: Tensor, noise: Tensor, classes: Tensor, penalise_drawn: bool = False
    ) -> GANOutput:
        """A round with real images (B, C, H, W) of -1..1, noise (B, Z) and the classes (B,) of both
        real and drawn images; `penalise_drawn`: whether R2 is needed."""
        drawn, learns = self.generator(noise, classes), self.training and torch.is_grad_enabled()
        images = images.detach().requires_grad_(learns)
        copies = drawn.detach().requires_grad_(learns and penalise_drawn)
        of_real = self.discriminator(images, classes)
        of_drawn = self.discriminator(copies, classes)
        of_generator = self._of_generator(drawn, classes) if self.training else of_drawn
        penalties = (
            self._gradient_penalty(of_real.real, images),
            self._gradient_penalty(of_drawn.real, copies),
        )
        return GANOutput(of_real, of_drawn, of_generator, *penalties)

    def _of_generator(self, drawn: Tensor, classes: Tensor) -> DiscriminatorOutput:
        """The discriminator with fixed parameters: gradients pass through it, and it gets none."""
        fixed = {name: p.detach() for name, p in self.discriminator.named_parameters()}
        return DiscriminatorOutput(*functional_call(self.discriminator, fixed, (drawn, classes)))

    def _gradient_penalty(self, logits: Tensor, images: Tensor) -> Tensor:
        if not images.requires_grad:
            return torch.zeros_like(logits)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return gradient.square().sum((1, 2, 3))


def halvings(size: tuple[int, int]) -> int:
    """How often an image is halved: while both sides are even and not below 8 pixels."""
    height, width = size
    number = 0
    while min(height, width) >= 8 and height % 2 == width % 2 == 0:
        height, width, number = height // 2, width // 2, number + 1
    return number
