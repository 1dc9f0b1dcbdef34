"""U-Net of diffusion models: what to change in a noised image, from the image, the time, the class.

Ho et al., 2020, https://arxiv.org/abs/2006.11239, appendix B, after Ronneberger et al., 2015,
arXiv:1505.04597: down to a small image and up again, each block on the way up reading also what the
block of the same resolution on the way down computed.
Differs from the paper: time and class scale and shift each block's second norm (Nichol and
Dhariwal, 2021, arXiv:2102.09672) instead of being added; attention at the lowest resolution alone;
as many blocks on the way up as down; the channels double with every halving; patches of pixels may
be taken as one (Luhman and Luhman, 2022, arXiv:2207.04316).
Shapes: B batch, C channels, H height, W width, D channels of a level, E width of the embedding.
"""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Bound, Fraction, Natural, Positive
from zoo.errors import UserError, need_images
from zoo.layers.attention import Attention
from zoo.layers.dropout import Dropout
from zoo.layers.time import TimeAndClass
from zoo.registry import MODELS

GROUPS = 8  # of a norm, at most


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, each after a norm and SiLU; (B, D_in, H, W) to (B, D, H, W)."""

    def __init__(self, channels_in: int, channels: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = make_norm(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.condition = nn.Linear(embedding, 2 * channels)
        self.norm2 = make_norm(channels)
        self.dropout = Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        same = channels_in == channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Of an image and the embedding (B, E) of its time and class."""
        h = self.conv1(F.silu(self.norm1(x)))  # (B, D, H, W)
        scale, shift = self.condition(condition)[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        return self.shortcut(x) + self.conv2(self.dropout(F.silu(h)))


class ImageAttention(nn.Module):
    """Self-attention between all pixels, in a residual branch: (B, D, H, W) to the same."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm = make_norm(channels)
        self.attention = Attention(channels, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Of an image."""
        tokens = self.norm(x).flatten(2).mT  # (B, H W, D)
        return x + self.attention(tokens).mT.unflatten(2, x.shape[2:])


def make_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm (Wu and He, 2018, arXiv:1803.08494) of 8 groups, fewer where they do not divide."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


@MODELS.register(
    "unet",
    task="diffusion",
    tiny=dict(input_shape=(1, 4, 4), num_classes=3, width=4, depth=1, blocks=1, heads=1),
)
class UNet(nn.Module):
    """Blocks down, a block with attention in the middle, blocks up.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, of data that has some; each image may go without its class.
        width: Channels of the full resolution; twice as many at half of it, and so on.
        depth: How often the image is halved.
        blocks: Blocks of each resolution, on the way down and again on the way up.
        patch: P, side of the squares of pixels that become the channels of one, as the first step;
            the rest then costs a P^2th.
        heads: Of the attention, which divide the channels of the lowest resolution.
        dropout: Probability of zeroing a value within a block while training.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int = 0,
        width: Annotated[int, Bound(least=2)] = 64,
        depth: Natural = 2,
        blocks: Positive = 1,
        patch: Positive = 1,
        heads: Positive = 4,
        dropout: Fraction = 0.1,
    ) -> None:
        super().__init__()
        need_images("unet", input_shape)
        _check_halves(input_shape[1:], patch, depth)
        embedding = 4 * width
        self.condition = TimeAndClass(num_classes, width, embedding)
        pixels = input_shape[0] * patch**2
        self.stem = nn.Conv2d(pixels, width, 3, padding=1)
        self.down, self.smaller = nn.ModuleList(), nn.ModuleList()
        channels, skips = width, []
        for level in range(depth + 1):
            for _ in range(blocks):
                wide = width * 2**level
                self.down.append(ResidualBlock(channels, wide, embedding, dropout))
                channels = wide
                skips.append(channels)
            if level < depth:
                self.smaller.append(nn.Conv2d(channels, channels, 3, stride=2, padding=1))
        self.middle = ResidualBlock(channels, channels, embedding, dropout)
        self.attention = ImageAttention(channels, heads)
        self.up, self.larger = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(depth + 1)):
            for _ in range(blocks):
                wide = width * 2**level
                self.up.append(ResidualBlock(channels + skips.pop(), wide, embedding, dropout))
                channels = wide
            if level > 0:
                self.larger.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.norm = make_norm(width)
        self.head = nn.Conv2d(width, pixels, 3, padding=1)
        self.blocks, self.patch = blocks, patch
        self._initialise()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs

    def _initialise(self) -> None:
        """The output and each residual branch start at zero, as in the authors' code."""
        for block in (m for m in self.modules() if isinstance(m, ResidualBlock)):
            for parameter in block.conv2.parameters():
                nn.init.zeros_(parameter)
        nn.init.zeros_(self.attention.attention.out.weight)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, time: Tensor, classes: Tensor) -> Tensor:
        """Noised images (B, C, H, W), their times (B,) and classes to what the task predicts.

        Args:
            x: Images and noise, of a variance of about 1 together.
            time: From 0 (no noise) to 1 (noise alone).
            classes: Int64 (B,), 0 to K - 1; K where no class is given.
        """
        condition = F.silu(self.condition(time.to(x.dtype), classes))  # (B, E)
        x = F.pixel_unshuffle(x, self.patch)  # (B, C P^2, H / P, W / P)
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        skips = []
        for k, block in enumerate(self.down, 1):
            x = block(x, condition)
            skips.append(x)
            if k % self.blocks == 0 and k < len(self.down):
                x = self.smaller[k // self.blocks - 1](x)
        x = self.attention(self.middle(x, condition))
        for k, block in enumerate(self.up, 1):
            x = block(torch.cat([x, skips.pop()], dim=1), condition)
            if k % self.blocks == 0 and k < len(self.up):
                x = self.larger[k // self.blocks - 1](F.interpolate(x, scale_factor=2.0))
        x = self.head(F.silu(self.norm(x)))  # (B, C P^2, H / P, W / P)
        return F.pixel_shuffle(x, self.patch)  # (B, C, H, W)


def _check_halves(size: tuple[int, ...], patch: int, depth: int) -> None:
    """Raise UserError unless both sides can be cut into patches, and these halved so often."""
    sides = "x".join(map(str, size))
    if any(side % patch for side in size):
        raise UserError(f"model.patch={patch} does not divide images of {sides} pixels")
    most = min((side // patch & -(side // patch)).bit_length() - 1 for side in size)
    if depth > most:
        of_patches = f" in patches of {patch}x{patch}" if patch > 1 else ""
        fits = f"model.depth={most}" + (" or less" if most else "")
        raise UserError(
            f"model.depth={depth}: images of {sides} pixels{of_patches} can be halved {most} times;"
            f" set {fits}, or take images whose sides are multiples of {patch * 2**depth}"
        )
