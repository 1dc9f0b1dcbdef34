"""ViT: a Transformer encoder over the patches of an image.

Dosovitskiy et al., 2021, https://arxiv.org/abs/2010.11929. Without the locality of a
convolution it has to learn from data which patches are related.
Differs from the paper: by default the classifier reads the mean over patches (Beyer et al., 2022,
arXiv:2205.01580) instead of an extra class token; no dropout on attention weights.
Shapes: B batch, C channels, H height, W width, P side of a patch, T tokens, D width, K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.bounds import Fraction, Natural, Positive
from zoo.errors import UserError, need_images
from zoo.layers.block import Block
from zoo.layers.dropout import Dropout
from zoo.registry import MODELS

EPS = 1e-6  # epsilon of the norms, as in the authors' code


@MODELS.register(
    "vit",
    task="classification",
    tiny=dict(input_shape=(1, 8, 8), num_classes=3, patch=4, width=16, depth=2, heads=2),
)
class ViT(nn.Module):
    """A patch embedding, `depth` blocks and a linear head.

    Args:
        input_shape: (channels, height, width) of one image.
        num_classes: Number of classes, K.
        patch: P; divides height and width.
        width, depth, heads: D, number of blocks, attention heads.
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
        pool: Input of the head: the `mean` over patches, or the `first` token, a class token.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        num_classes: int,
        patch: Positive = 4,
        width: Positive = 192,
        depth: Natural = 6,
        heads: Positive = 3,
        dropout: Fraction = 0.0,
        pool: Literal["mean", "first"] = "mean",
    ) -> None:
        super().__init__()
        need_images("vit", input_shape)
        channels, high, wide = input_shape
        if patch < 1 or high % patch or wide % patch:
            raise UserError(f"model.patch={patch} does not divide images of {high}x{wide} pixels")
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        count = (high // patch) * (wide // patch)
        self.first: nn.Parameter | None = None
        if pool == "first":
            self.first = nn.Parameter(torch.zeros(width))
            count += 1
        self.position = nn.Embedding(count, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width, heads, eps=EPS, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Linear(width, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.position.weight, std=0.02)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K)."""
        x = self.patches(x).flatten(2).mT  # (B, T, D), patches in row-major order
        if self.first is not None:
            x = torch.cat([self.first.expand(x.shape[0], 1, -1), x], dim=1)
        x = self.dropout(x + self.position.weight)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x.mean(1) if self.first is None else x[:, 0])
