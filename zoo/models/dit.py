"""DiT: a Transformer over patches of a noised image, steered by its time and class.

Peebles and Xie, 2023, https://arxiv.org/abs/2212.09748. The blocks are those of all our
Transformers; time and class scale and shift what each branch reads, and weigh what it adds, at
first by zero (adaLN-Zero).
Differs from the paper: learned positions instead of sinusoidal ones; pixels instead of the codes of
an autoencoder; norms keep a scale and a shift of their own; no predicted variance.
Shapes: B batch, C channels, H height, W width, P side of a patch, T tokens, D width, K classes.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Fraction, Natural, Positive
from zoo.errors import UserError, need_images
from zoo.layers.block import Block
from zoo.layers.time import TimeAndClass
from zoo.registry import MODELS

EPS = 1e-6  # epsilon of the norms, as in the authors' code


class ConditionedBlock(nn.Module):
    """A block whose branches are scaled, shifted and weighed by a vector (B, D)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.block = Block(width, heads, eps=EPS, dropout=dropout)
        self.modulation = nn.Linear(width, 6 * width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        block, six = self.block, self.modulation(condition)[:, None].chunk(6, dim=2)
        shift, scale, weight, shift2, scale2, weight2 = six  # (B, 1, D) each
        h = block.attention(modulated(block.attention_norm(x), shift, scale))
        x = x + weight * block.dropout(h)
        h = block.feed_forward(modulated(block.feed_forward_norm(x), shift2, scale2))
        return x + weight2 * block.dropout(h)


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Scaled by 1 + scale, and shifted."""
    return x * (1 + scale) + shift


@MODELS.register(
    "dit",
    task="diffusion",
    tiny=dict(input_shape=(1, 4, 4), num_classes=3, patch=2, width=16, depth=1, heads=2),
)
class DiT(nn.Module):
    """A patch embedding, `depth` conditioned blocks, and a head that gives pixels again.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, of data that has some; each image may go without its class.
        patch: P; divides height and width.
        width, depth, heads: D, number of blocks, attention heads.
        dropout: Dropout probability at the end of each residual branch.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int = 0,
        patch: Positive = 2,
        width: Positive = 192,
        depth: Natural = 6,
        heads: Positive = 3,
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        need_images("dit", input_shape)
        channels, high, wide = input_shape
        if high % patch or wide % patch:
            raise UserError(f"model.patch={patch} does not divide images of {high}x{wide} pixels")
        self.patch, self.grid = patch, (high // patch, wide // patch)
        self.condition = TimeAndClass(num_classes, width, width)
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.position = nn.Embedding(self.grid[0] * self.grid[1], width)
        self.blocks = nn.ModuleList(ConditionedBlock(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.modulation = nn.Linear(width, 2 * width)
        self.head = nn.Linear(width, channels * patch**2)
        self._initialise()

    def _initialise(self) -> None:
        """Each block starts as the identity, and the output as zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position.weight, std=0.02)
        for block in (m for m in self.modules() if isinstance(m, ConditionedBlock)):
            nn.init.zeros_(block.modulation.weight)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, time: Tensor, classes: Tensor) -> Tensor:
        """Noised images (B, C, H, W), their times (B,) and classes to what the task predicts.

        Args:
            x: Images and noise, of a variance of about 1 together.
            time: From 0 (no noise) to 1 (noise alone).
            classes: Int64 (B,), 0 to K - 1; K where no class is given.
        """
        condition = F.silu(self.condition(time.to(x.dtype), classes))  # (B, D)
        x = self.patches(x).flatten(2).mT + self.position.weight  # (B, T, D)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=2)
        x = self.head(modulated(self.norm(x), shift, scale))  # (B, T, C P^2)
        return F.pixel_shuffle(x.mT.unflatten(2, self.grid), self.patch)  # (B, C, H, W)
