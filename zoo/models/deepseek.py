"""DeepSeek-V3: a decoder with latent attention and a mixture of experts.

DeepSeek-AI, 2024, https://arxiv.org/abs/2412.19437. Compared with Llama: the keys and values of all
heads are computed from one short latent vector per token, which is all that the cache holds; and in
place of one wide feed-forward layer, each token uses a few of many small experts, besides one that
all tokens use. A bias, adjusted after each step, balances the load of the experts.
Differs from the paper: no further tokens are predicted (its section 2.2), and rotary positions are
not stretched (YaRN); dropout is possible, at the end of each residual branch.
Shapes: B batch, T tokens, D width, H heads, V vocabulary.
"""

from typing import Any

from torch import Tensor, nn

from zoo.bounds import AboveZero, Fraction, Natural, Positive
from zoo.errors import UserError
from zoo.kernels import linear_cross_entropy
from zoo.layers.block import PreNormBlock
from zoo.layers.documents import places_and_mask
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward
from zoo.layers.latent_attention import LatentAttention, LatentCache
from zoo.layers.mixture import Mixture, add_auxiliary, refuse_auxiliary
from zoo.layers.positions import Rotary
from zoo.layers.start import StartName, initialise
from zoo.registry import MODELS
from zoo.schema import bind


@MODELS.register(
    "deepseek",
    task="causal_lm",
    tiny=dict(
        vocab_size=16, block_size=8, width=16, depth=2, heads=2, latent=8, q_latent=8,
        head_width=6, rotary_width=4, value_width=8, dense_blocks=1,
        mixture=dict(experts=4, active=2, shared=1, inner=8, score="sigmoid", balance="bias"),
    ),
)  # fmt: skip
class DeepSeek(nn.Module):
    """A token embedding, `depth` causal blocks, an RMSNorm and a linear head.

    Args:
        vocab_size: V.
        block_size: Maximum length of a sequence, in tokens: the context.
        width, depth, heads: D, number of blocks, H.
        latent: Width of the latent vector that keys and values are computed from.
        q_latent: The same for queries; null to compute them from x directly.
        head_width, rotary_width: Widths of the parts of a query or key without and with positions.
        value_width: Width of a head's values.
        dense_blocks: How many of the first blocks have a feed-forward layer and no experts.
        inner: Width inside those; null for 8 D / 3, rounded up to a multiple of 8.
        mixture: Options of the `Mixture` of the other blocks; null for no experts at all.
        rope_base: Wavelength of the slowest rotation, over 2 pi.
        tie: Whether head and embedding share their weights.
        eps: Epsilon of the norms.
        init: As in `initialise`.
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
    """

    accepts_targets = reads_documents = True  # zoo/tasks/base.py

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: Positive = 256,
        depth: Natural = 4,
        heads: Positive = 4,
        latent: Positive = 64,
        q_latent: Positive | None = None,
        head_width: Positive = 32,
        rotary_width: Positive = 32,
        value_width: Positive = 64,
        dense_blocks: Natural = 1,
        inner: Positive | None = None,
        mixture: dict[str, Any] | None = None,
        rope_base: AboveZero = 10_000.0,
        tie: bool = False,
        eps: AboveZero = 1e-6,
        init: StartName = "normal",
        dropout: Fraction = 0.0,
    ) -> None:
        super().__init__()
        if mixture and 0 < depth <= dense_blocks:
            raise UserError(
                f"model.dense_blocks={dense_blocks} of model.depth={depth} leaves no block for the "
                f"experts of model.mixture; set model.dense_blocks below {depth}, or, for a model "
                f"without experts, model.mixture=null"
            )
        self.context, self.latent = block_size, latent
        self.embedding = nn.Embedding(vocab_size, width)
        self.rotary = Rotary(block_size, rotary_width, rope_base)
        self.dropout = Dropout(dropout)
        options = bind(Mixture, mixture or {}, {"width": width}, "model.mixture", "mixture")

        def block(is_dense: bool) -> PreNormBlock:
            widths = head_width, rotary_width, value_width
            attention = LatentAttention(width, heads, latent, q_latent, *widths)
            experts = FeedForward(width, "swiglu", inner, False) if is_dense else Mixture(**options)
            return PreNormBlock(width, attention, experts, eps, dropout)

        dense = depth if mixture is None else dense_blocks
        self.blocks = nn.ModuleList(block(k < dense) for k in range(depth))
        self.norm = nn.RMSNorm(width, eps)
        self.head = nn.Linear(width, vocab_size, bias=False)
        if tie:
            if init == "zero":
                raise ValueError("init=zero starts the head at zero: it cannot be tied; tie=false")
            self.head.weight = self.embedding.weight
        initialise(self, init)

    def new_cache(self, batch_size: int) -> list[LatentCache]:
        """An empty cache of latent vectors for each block."""
        return [LatentCache(self.context, self.latent) for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        cache: list[LatentCache] | None = None,
        last_only: bool = False,
        targets: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Compute the logits of the next token at each position, (B, T, V).

        Args:
            tokens: Int64 (B, T), at most block_size including those in the cache.
            cache: From `new_cache`; `tokens` continue the sequences that are in it.
            last_only: Whether to return the logits at the last position only, (B, 1, V).
            targets: Int64 (B T,), the next token at each position; if given, the summed
                cross-entropy is returned instead of logits, which saves memory.
            documents: Int (B, T), which document of a packed row each token belongs to.
        """
        start = cache[0].length if cache else 0
        if start + tokens.shape[1] > self.context:
            raise ValueError(f"{start + tokens.shape[1]} tokens, expected at most {self.context}")
        places, mask = places_and_mask(documents)
        rotation = self.rotary(start, tokens.shape[1], places)
        x = self.dropout(self.embedding(tokens))  # (B, T, D)
        for k, block in enumerate(self.blocks):
            x = block(x, mask, rotation, cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last_only else x)
        if targets is None:
            if self.training:
                refuse_auxiliary(self)
            return self.head(x)
        return add_auxiliary(linear_cross_entropy(x.flatten(0, 1), self.head, targets), self)
