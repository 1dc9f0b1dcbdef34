"""ResNet: a deep convolutional classifier whose blocks add to what they are given.

He et al., 2016, https://arxiv.org/abs/1512.03385: depths 20 to 110 for small images (section 4.2)
and 18 to 152 for photographs (table 1).
Differs from the paper: the stride of a bottleneck block is that of its 3x3 convolution, as in all
published weights; on request the blocks of photographs over the stem of small images, which is
what most mean by a ResNet-18 for CIFAR. Parameters are named as in torchvision.
Shapes: B batch, C channels, H and W height and width, K classes.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.errors import UserError, need_images
from zoo.registry import MODELS

Shortcut = Literal["pad", "projection"]
PIXEL_WORTH = 64  # channels: with more for each pixel of the last stage, weights outweigh images
PHOTOGRAPHS = {  # depth: blocks of each stage, whether they are bottlenecks
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


def convolution(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    """One that keeps the image's size, but for its stride; the norm after it has the bias."""
    return nn.Conv2d(channels_in, channels_out, size, stride, padding=size // 2, bias=False)


class Residual(nn.Module):
    """What both kinds of block share: the way around them.

    Args:
        channels_in, channels_out: Before and after the block.
        stride: By which the block shrinks the image.
        shortcut: Where these differ, `pad` leaves out pixels and adds channels of zeros (option A
            of the paper, nothing to learn), `projection` is a 1x1 convolution (option B); None for
            no way around at all.
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

    def around(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) to (B, C_out, H / stride, W / stride)."""
        if self.downsample is not None:
            return self.downsample(x)
        if self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        before = self.added // 2
        return F.pad(x, (0, 0, 0, 0, before, self.added - before)) if self.added else x


class Basic(Residual):
    """Two 3x3 convolutions."""

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
        return F.relu(h + self.around(x) if self.residual else h, inplace=True)


class Bottleneck(Residual):
    """A 3x3 convolution between two of 1x1, which narrow and widen; four times as wide outside."""

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
        return F.relu(h + self.around(x) if self.residual else h, inplace=True)


@MODELS.register(
    "resnet",
    task="classification",
    tiny=dict(input_shape=(1, 8, 8), num_classes=3, depth=8, width=4),
)
class ResNet(nn.Module):
    """Stages of residual blocks, each stage but the first twice as wide on half the image.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Classes to tell apart.
        depth: 18, 34, 50, 101 or 152 for four stages of photographs; 6 n + 2 (20, 32, 44, 56, 110)
            for three stages of n blocks, for small images.
        width: Channels of the first stage; null for 64 with photographs, 16 with small images.
        stem: `large` is a 7x7 convolution and a maximum, which leave a quarter of the image's side;
            `small` a 3x3 convolution. Null for what the depth is meant for.
        shortcut: `pad` or `projection`; null for `projection` with photographs, `pad` with small
            images.
        residual: False leaves out the way around each block, so that the degradation that the
            paper starts from can be seen.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        depth: int = 20,
        width: int | None = None,
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
        way = shortcut or ("projection" if photographs else "pad") if residual else None
        self.conv1 = convolution(input_shape[0], width, 7 if large else 3, 2 if large else 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else None
        channels = width
        self.stages = [f"layer{k}" for k in range(1, len(blocks) + 1)]
        for k, (name, count) in enumerate(zip(self.stages, blocks)):
            stage = nn.Sequential()
            for n in range(count):
                stride = 2 if k > 0 and n == 0 else 1
                stage.append(block(channels, width * 2**k, stride, way))
                channels = width * 2**k * block.expansion
            self.add_module(name, stage)
        self.fc = nn.Linear(channels, num_classes)
        self._initialise()
        # Channels last makes images cheaper and weights dearer: not worth it for the few pixels
        # that a stem for photographs leaves of small images.
        shrink = 2 ** (len(blocks) - 1) * (4 if large else 1)
        pixels = math.prod(-(-side // shrink) for side in input_shape[1:])
        few = pixels * PIXEL_WORTH < width * 2 ** (len(blocks) - 1)
        self.layout = torch.contiguous_format if few else torch.channels_last
        self.to(memory_format=self.layout)

    def _initialise(self) -> None:
        """He et al., 2015 (arXiv:1502.01852) for the convolutions; a head that starts undecided."""
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
