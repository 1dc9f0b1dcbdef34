"""ResNet: a deep convolutional classifier with skip connections around its blocks.

He et al., 2016, https://arxiv.org/abs/1512.03385: depths 20 to 110 for small images (section 4.2)
and 18 to 152 for photographs (table 1).
Differs from the paper: a bottleneck block has its stride in the 3x3 convolution, as in all
published weights; optionally the blocks for photographs follow the stem for small images, as in
the usual ResNet-18 for CIFAR. Parameters are named as in torchvision.
Shapes: B batch, C channels, H height, W width, K classes.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Positive
from zoo.errors import UserError, need_images
from zoo.registry import MODELS

Shortcut = Literal["pad", "projection"]
MAX_CHANNELS_PER_PIXEL = 64  # of the last stage; with more, channels last does not pay
PHOTOGRAPHS = {  # depth: number of blocks in each stage, whether they are bottlenecks
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


def convolution(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution padded to keep the image's size; without bias, which the norm after it has."""
    return nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False)


def memory_layout(pixels: int, channels: int) -> torch.memory_format:
    """The faster layout for a last stage of so many pixels and channels.

    Channels last speeds up work on images and slows down work on weights, which prevails where a
    stem for photographs leaves few pixels of a small image.
    """
    few = pixels * MAX_CHANNELS_PER_PIXEL < channels
    return torch.contiguous_format if few else torch.channels_last


class Residual(nn.Module):
    """Base of both kinds of block, with the skip connection around them.

    Args:
        channels_in, channels_out: Channels before and after the block.
        stride: Factor by which the block shrinks the image.
        shortcut: Skip connection of a block that changes the shape: `pad` skips pixels and pads the
            channels with zeros (option A of the paper, without parameters), `projection` is a 1x1
            convolution (option B). None: no block has a skip connection.
    """

    def __init__(
        self, channels_in: int, channels_out: int, stride: int, shortcut: Shortcut | None
    ) -> None:
        super().__init__()
        self.residual = shortcut is not None
        self.stride, self.added = stride, channels_out - channels_in
        self.downsample: nn.Module | None = None
        if shortcut == "projection" and (stride > 1 or self.added):
            self.downsample = nn.Sequential(
                convolution(channels_in, channels_out, 1, stride), nn.BatchNorm2d(channels_out)
            )

    def skip(self, x: Tensor) -> Tensor:
        """The skip connection: (B, C_in, H, W) to (B, C_out, H / stride, W / stride)."""
        if self.downsample is not None:
            return self.downsample(x)
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        before = self.added // 2
        return F.pad(x, (0, 0, 0, 0, before, self.added - before)) if self.added else x


class Basic(Residual):
    """A block of two 3x3 convolutions."""

    expansion = 1

    def __init__(
        self, channels_in: int, width: int, stride: int, shortcut: Shortcut | None
    ) -> None:
        super().__init__(channels_in, width, stride, shortcut)
        self.conv1 = convolution(channels_in, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, width, H / stride, W / stride)."""
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = self.bn2(self.conv2(h))
        return F.relu(h + self.skip(x) if self.residual else h, inplace=True)


class Bottleneck(Residual):
    """A block of 1x1, 3x3 and 1x1 convolutions, the middle one with a quarter of the channels."""

    expansion = 4

    def __init__(
        self, channels_in: int, width: int, stride: int, shortcut: Shortcut | None
    ) -> None:
        super().__init__(channels_in, width * self.expansion, stride, shortcut)
        self.conv1 = convolution(channels_in, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = convolution(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = convolution(width, width * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, 4 width, H / stride, W / stride)."""
        h = F.relu(self.bn1(self.conv1(x)), inplace=True)
        h = F.relu(self.bn2(self.conv2(h)), inplace=True)
        h = self.bn3(self.conv3(h))
        return F.relu(h + self.skip(x) if self.residual else h, inplace=True)


@MODELS.register(
    "resnet",
    task="classification",
    tiny=dict(input_shape=(1, 8, 8), num_classes=3, depth=8, width=4),
)
class ResNet(nn.Module):
    """Stages of residual blocks; each stage doubles the channels and halves the image.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, K.
        depth: For photographs 18, 34, 50, 101 or 152, in four stages; for small images 6 n + 2 (20,
            32, 44, 56, 110), in three stages of n blocks.
        width: Channels of the first stage; null for 64 with photographs, 16 with small images.
        stem: `large` is a 7x7 convolution and max pooling, which shrink the image by a factor of 4;
            `small` is a 3x3 convolution. Null for the one that belongs to the depth.
        shortcut: `pad` or `projection`; null for `projection` with photographs, `pad` with small
            images.
        residual: Whether blocks have skip connections; without, a deep network trains worse than a
            shallow one, the degradation that the paper starts from.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        depth: Positive = 20,
        width: Positive | None = None,
        stem: Literal["small", "large"] | None = None,
        shortcut: Shortcut | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__()
        need_images("resnet", input_shape)
        photographs = depth in PHOTOGRAPHS
        if not photographs and (depth < 8 or depth % 6 != 2):
            raise UserError(
                f"model.depth={depth}: expected one of {', '.join(map(str, PHOTOGRAPHS))}, or "
                f"6 n + 2 for small images: 20, 32, 44, 56, 110"
            )
        blocks, bottleneck = PHOTOGRAPHS.get(depth, (((depth - 2) // 6,) * 3, False))
        block = Bottleneck if bottleneck else Basic
        width = width or (64 if photographs else 16)
        large = (stem or ("large" if photographs else "small")) == "large"
        default: Shortcut = "projection" if photographs else "pad"
        shortcut = (shortcut or default) if residual else None
        self.conv1 = convolution(input_shape[0], width, 7 if large else 3, 2 if large else 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else None
        channels = width
        self.stages = [f"layer{k}" for k in range(1, len(blocks) + 1)]
        for k, (name, count) in enumerate(zip(self.stages, blocks)):
            stage = nn.Sequential()
            for n in range(count):
                stride = 2 if k > 0 and n == 0 else 1
                stage.append(block(channels, width * 2**k, stride, shortcut))
                channels = width * 2**k * block.expansion
            self.add_module(name, stage)
        self.fc = nn.Linear(channels, num_classes)
        self._initialise()
        shrink = 2 ** (len(blocks) - 1) * (4 if large else 1)
        pixels = math.prod(-(-side // shrink) for side in input_shape[1:])
        self.layout = memory_layout(pixels, channels=width * 2 ** (len(blocks) - 1))
        self.to(memory_format=self.layout)  # type: ignore[call-overload]  # not in the stubs

    def _initialise(self) -> None:
        """He et al., 2015 (arXiv:1502.01852) for convolutions; nearly equal logits at the start."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K)."""
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.maxpool is not None:
            x = self.maxpool(x)
        x = x.contiguous(memory_format=self.layout)
        for name in self.stages:
            x = getattr(self, name)(x)  # (B, C', H', W')
        return self.fc(x.mean((2, 3)))  # (B, K)
