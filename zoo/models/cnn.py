"""CNN: a small modern convolutional classifier for images of any size and channel count.

LeCun et al., 1998, https://doi.org/10.1109/5.726791: local filters, applied all over the image.
Differs from the paper, as later networks do: 3x3 kernels in pairs (Simonyan and Zisserman,
2015, arXiv:1409.1556), batch normalisation (Ioffe and Szegedy, 2015, arXiv:1502.03167), ReLU, and
global average pooling (Lin et al., 2014, arXiv:1312.4400), which allows images of any size.
Shapes: B batch, C channels, H height, W width, K classes.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.bounds import Bound, Fraction, Positive
from zoo.errors import need_images
from zoo.layers.activation import ActivationName, make_activation
from zoo.registry import MODELS


class ConvBlock(nn.Sequential):
    """3x3 convolution, batch normalisation, activation: (B, C_in, H, W) to (B, C_out, H, W)."""

    def __init__(self, channels_in: int, channels_out: int, act: ActivationName) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            make_activation(act),
        )


@MODELS.register(
    "cnn",
    task="classification",
    tiny=dict(input_shape=(1, 8, 8), num_classes=3, width=4, stages=2, blocks=1),
)
class CNN(nn.Module):
    """Stages of convolutions; between stages the channels double and the image is halved.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, K.
        width: Channels of the first stage.
        stages: Number of stages; an image of less than 4 pixels is not halved further.
        blocks: Number of convolutions in each stage.
        activation: Non-linearity after each normalisation.
        dropout: Probability of zeroing a pooled feature while training.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        width: Positive = 32,
        stages: Annotated[int, Bound(least=1, most=12)] = 3,
        blocks: Positive = 2,
        activation: ActivationName = "relu",
        dropout: Fraction = 0.3,
    ) -> None:
        super().__init__()
        need_images("cnn", input_shape)
        channels, height, width_px = input_shape
        layers: list[nn.Module] = []
        for stage in range(stages):
            if stage > 0 and min(height, width_px) >= 4:
                layers.append(nn.MaxPool2d(2))
                height, width_px = height // 2, width_px // 2
            for _ in range(blocks):
                layers.append(ConvBlock(channels, width * 2**stage, activation))
                channels = width * 2**stage
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, num_classes)
        self._initialise()
        # Convolutions then take 0.6 to 0.8 of the time.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def _initialise(self) -> None:
        """He et al., 2015 (arXiv:1502.01852) for convolutions; nearly equal logits at the start."""
        for module in self.features.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K)."""
        x = self.features(x.contiguous(memory_format=torch.channels_last))  # (B, C', H', W')
        x = self.pool(x).flatten(1)  # (B, C')
        return self.head(self.dropout(x))  # (B, K)
