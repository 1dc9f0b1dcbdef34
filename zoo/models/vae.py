"""VAE: an encoder to a distribution over codes, a decoder from codes to a distribution over images.

Kingma and Welling, 2013, https://arxiv.org/abs/1312.6114. The class-conditional form is that of
Sohn et al., 2015 (https://papers.nips.cc/paper/5775): both halves are told the class.
Differs from the papers: grey values have a discretised logistic distribution (Salimans et al.,
2017, arXiv:1701.05517), which gives each of their levels a probability, not a Gaussian density,
which has no bound where a pixel never changes; layers may be convolutions.
Shapes: B batch, C channels, H height, W width, Z code, K classes, P parameters of a pixel (1 or 2).
"""

import math
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Bound, Positive
from zoo.errors import UserError, need_images
from zoo.layers.activation import ActivationName, make_activation
from zoo.registry import MODELS

PARAMETERS = {"bernoulli": 1, "logistic": 2}  # of a pixel's distribution
SMALLEST = 4  # pixels of a side that is not halved further


class VAEOutput(NamedTuple):
    """Both distributions.

    Attributes:
        mean, log_variance: Of the code, given the image, (B, Z).
        pixels: Parameters of each pixel's distribution, given the code, (B, P, C, H, W): the logit
            of white, or mean and logarithm of the scale, in a range where black is -1, white 1.
    """

    mean: Tensor
    log_variance: Tensor
    pixels: Tensor


class DenseEncoder(nn.Sequential):
    """(B, C, H, W) to (B, width): hidden layers all of one width; the class follows the pixels."""

    def __init__(
        self, shape: tuple[int, ...], classes: int, width: int, depth: int, act: ActivationName
    ) -> None:
        sizes = [math.prod(shape) + classes, *[width] * depth]
        super().__init__(*_dense(sizes, act))
        self.features = width

    def forward(self, x: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]  # two inputs
        """(B, C, H, W) and the class (B, K) or (B, 0) to (B, width)."""
        return super().forward(torch.cat([x.flatten(1), label], 1))


class DenseDecoder(nn.Sequential):
    """(B, Z) to (B, P C H W): the encoder in reverse."""

    def __init__(
        self, codes: int, classes: int, outputs: int, width: int, depth: int, act: ActivationName
    ) -> None:
        sizes = [codes + classes, *[width] * depth]
        super().__init__(*_dense(sizes, act), nn.Linear(width, outputs))

    def forward(self, z: Tensor, label: Tensor) -> Tensor:  # type: ignore[override]  # two inputs
        """(B, Z) and (B, K) to (B, P C H W)."""
        return super().forward(torch.cat([z, label], 1))


def _dense(sizes: list[int], act: ActivationName) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for size_in, size_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(size_in, size_out), make_activation(act)]
    return layers


class ConvEncoder(nn.Module):
    """(B, C, H, W) to features: images are halved as channels double; the class adds channels."""

    def __init__(
        self, shape: tuple[int, ...], classes: int, width: int, depth: int, act: ActivationName
    ) -> None:
        super().__init__()
        self.sizes = halved((shape[1], shape[2]), depth)
        layers: list[nn.Module] = []
        channels = shape[0] + classes
        for k, (size, after) in enumerate(zip(self.sizes, self.sizes[1:])):
            stride = 2 if after != size else 1
            layers.append(nn.Conv2d(channels, width * 2**k, 3, stride, padding=1))
            layers.append(make_activation(act))
            channels = width * 2**k
        self.layers, self.channels = nn.Sequential(*layers), channels
        self.features = channels * math.prod(self.sizes[-1])

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """(B, C, H, W) and (B, K) to (B, features)."""
        planes = label[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.layers(torch.cat([x, planes], 1)).flatten(1)


class ConvDecoder(nn.Module):
    """(B, Z) to (B, P C, H, W): the encoder in reverse, pixels repeated before each convolution."""

    def __init__(
        self, codes: int, classes: int, outputs: int, encoder: ConvEncoder, act: ActivationName
    ) -> None:
        super().__init__()
        self.sizes, self.channels = encoder.sizes, encoder.channels
        self.first = nn.Linear(codes + classes, encoder.features)
        channels, layers = self.channels, []
        for _ in self.sizes[2:]:
            layers.append(nn.Conv2d(channels, channels // 2, 3, padding=1))
            channels //= 2
        self.layers = nn.ModuleList(layers)
        self.last = nn.Conv2d(channels, outputs, 3, padding=1)
        self.act = make_activation(act)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """(B, Z) and (B, K) to (B, P C, H, W)."""
        x = self.act(self.first(torch.cat([z, label], 1)))
        x = x.view(len(z), self.channels, *self.sizes[-1])
        sizes = self.sizes[-2::-1]
        for layer, size in zip(self.layers, sizes):
            x = self.act(layer(F.interpolate(x, size=size)))
        return self.last(F.interpolate(x, size=sizes[-1]))


def halved(size: tuple[int, int], times: int) -> list[tuple[int, int]]:
    """Heights and widths before and after each stage, rounded up; small ones stay."""
    sizes = [size]
    for _ in range(times):
        height, width = sizes[-1]
        if min(height, width) > SMALLEST:
            height, width = -(-height // 2), -(-width // 2)
        sizes.append((height, width))
    return sizes


@MODELS.register(
    "vae",
    task="elbo",
    tiny=dict(input_shape=(1, 8, 8), latent=3, width=16, depth=1),
)
class VAE(nn.Module):
    """Encoder and decoder, each of `depth` hidden layers.

    Args:
        input_shape: (C, H, W).
        num_classes: K, of the data; needed where `conditional`.
        latent: Z, numbers in a code.
        layers: `dense`, or `conv`: convolutions, each of which halves the image.
        width: Neurons of a hidden layer; channels of the first convolution, doubled by each.
        depth: Hidden layers of either half.
        activation: Non-linearity after each.
        likelihood: Of a pixel: `bernoulli` for black and white, `logistic` for levels of grey.
        conditional: Whether both halves are told the class of the image.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int | None = None,
        latent: Positive = 16,
        layers: Literal["dense", "conv"] = "dense",
        width: Positive = 256,
        depth: Annotated[int, Bound(least=1, most=12)] = 2,
        activation: ActivationName = "relu",
        likelihood: Literal["bernoulli", "logistic"] = "logistic",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        need_images("vae", input_shape)
        if conditional and num_classes is None:
            raise UserError("model.conditional=true needs data with classes; set it to false")
        self.classes = num_classes or 0 if conditional else 0
        self.shape = (PARAMETERS[likelihood], *input_shape)  # (P, C, H, W)
        outputs = math.prod(self.shape)
        size = (self.classes, width, depth, activation)
        if layers == "dense":
            self.encoder: nn.Module = DenseEncoder(input_shape, *size)
            decoder: nn.Module = DenseDecoder(
                latent, self.classes, outputs, width, depth, activation
            )
        else:
            self.encoder = ConvEncoder(input_shape, *size)
            maps = self.shape[0] * self.shape[1]
            decoder = ConvDecoder(latent, self.classes, maps, self.encoder, activation)
        self.decoder = decoder
        self.code = nn.Linear(self.encoder.features, 2 * latent)
        self.latent = latent
        self._initialise()

    def _initialise(self) -> None:
        """He et al., 2015 (arXiv:1502.01852); codes begin with mean 0 and variance 1."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # all have one
        nn.init.normal_(self.code.weight, std=0.01)

    def encode(self, x: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Standardised images (B, C, H, W), classes int64 (B,): mean and log-variance, (B, Z)."""
        mean, log_variance = self.code(self.encoder(x, self._one_hot(x, classes))).chunk(2, 1)
        return mean, log_variance

    def features(self, x: Tensor) -> Tensor:
        """What a classifier may learn from: (B, C, H, W) to the last hidden layer of the encoder,
        (B, D), which tells more about the class than the code does."""
        if self.classes:
            raise UserError(
                "a class-conditional VAE has to be told the class that its features would be for; "
                "train it with model.conditional=false task.conditional=false"
            )
        return self.encoder(x, self._one_hot(x, None))

    def decode(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        """(B, Z) to the parameters of pixels, (B, P, C, H, W)."""
        return self.decoder(z, self._one_hot(z, classes)).view(-1, *self.shape)

    def _one_hot(self, like: Tensor, classes: Tensor | None) -> Tensor:
        """(B, K), of the type and on the device of `like`; (B, 0) without classes."""
        if not self.classes:
            if classes is not None:
                raise UserError(
                    "task.conditional=true needs model.conditional=true, to be told the class"
                )
            # like.shape[0], as len() would fix the size of the batch in a graph
            return like.new_zeros(like.shape[0], 0)
        if classes is None:
            raise UserError(
                "model.conditional=true needs task.conditional=true, to be told the class"
            )
        return F.one_hot(classes, self.classes).to(like.dtype)

    def forward(
        self, x: Tensor, classes: Tensor | None = None, noise: Tensor | None = None
    ) -> VAEOutput:
        """Both distributions, of the code that the noise chooses.

        Args:
            x: (B, C, H, W), standardised.
            classes: Int64 (B,), where the model is conditional.
            noise: Standard normal (B, Z); None takes the mean code.
        """
        mean, log_variance = self.encode(x, classes)
        z = mean if noise is None else mean + (0.5 * log_variance).exp() * noise
        return VAEOutput(mean, log_variance, self.decode(z, classes))
