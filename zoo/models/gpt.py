"""GPT: a decoder-only Transformer, which predicts the next token from those before it.

Radford et al., 2019, https://openai.com/index/better-language-models (GPT-2, whose blocks, sizes
and initialisation are the default).
Differs from the paper: no dropout on attention weights. Optional: rotary positions, RMSNorm,
squared ReLU or SwiGLU, normalised queries and keys, grouped key/value heads, and residual branches
that are zero at initialisation; together they train several times faster on little data (as in
Jordan et al., 2024, https://github.com/KellerJordan/modded-nanogpt).
Shapes: B batch, T tokens, D width, H heads, V vocabulary, K classes.
"""

import math
from typing import Literal

from torch import Tensor, nn

from zoo.bounds import Fraction, Natural, Positive
from zoo.kernels import linear_cross_entropy, normalise
from zoo.layers.block import Block
from zoo.layers.cache import KVCache
from zoo.layers.documents import places_and_mask
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.pooling import last_token
from zoo.layers.positions import PositionName, Rotation, add_positions, make_absolute, make_rotary
from zoo.registry import MODELS


@MODELS.register(
    "gpt",
    task="causal_lm",
    tiny=dict(vocab_size=16, block_size=8, width=16, depth=2, heads=2),
)
class GPT(nn.Module):
    """A token embedding, `depth` causal blocks and a linear head.

    Args:
        vocab_size: V.
        block_size: Maximum length of a sequence, in tokens: the context.
        width, depth, heads: D, number of blocks, H.
        kv_heads: Number of key/value heads, each shared by several query heads; null for H.
        positions: Kind of position embedding.
        norm, activation: Kind of norm and of non-linearity in the blocks.
        qk_norm: Whether to normalise queries and keys.
        bias: Whether linear layers and LayerNorms have a bias.
        tie: Whether head and embedding share their weights (Press and Wolf, 2017,
            arXiv:1608.05859).
        init: `gpt2`, or `zero`: residual branches and logits are zero at initialisation, embeddings
            have unit scale and are normalised.
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
        num_outputs: Number of classes K: the model then classifies a sequence by its last token,
            instead of predicting tokens.
        pad_id: Id of the padding, on the right of shorter sequences.
    """

    decodes_by_blocks = True  # forward is embed, blocks, norm, head: zoo/inference/decode.py
    accepts_targets = reads_documents = True  # zoo/tasks/base.py

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: Positive = 384,
        depth: Natural = 6,
        heads: Positive = 6,
        kv_heads: Positive | None = None,
        positions: PositionName = "learned",
        norm: NormName = "layer",
        activation: FeedForwardName = "gelu_tanh",
        qk_norm: bool = False,
        bias: bool = True,
        tie: bool = True,
        init: Literal["gpt2", "zero"] = "gpt2",
        dropout: Fraction = 0.0,
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.context, self.pad_id, self.init, self.depth = block_size, pad_id, init, depth
        self.norm_name = norm
        self.embedding = nn.Embedding(vocab_size, width)
        self.position = make_absolute(positions, block_size, width)
        self.rotary = make_rotary(positions, block_size, width // heads)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(
                width,
                heads,
                kv_heads,
                causal=True,
                activation=activation,
                norm=norm,
                qk_norm=qk_norm,
                bias=bias,
                dropout=dropout,
            )
            for _ in range(depth)
        )
        self.norm = make_norm(norm, width, bias)
        self.classifies = num_outputs is not None
        self.head = nn.Linear(width, num_outputs or vocab_size, bias=self.classifies)
        if tie and not self.classifies:
            if init == "zero":
                raise ValueError("init=zero starts the head at zero: it cannot be tied; tie=false")
            self.head.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        """GPT-2, section 2.3: std 0.02, at the end of residual branches over sqrt(2 depth)."""
        width = self.embedding.embedding_dim
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                ends_branch = name.endswith((".out", ".down"))  # last layer of a residual branch
                std = 0.02 / math.sqrt(2 * self.depth) if ends_branch else 0.02
                if self.init == "zero":
                    std = 0.0 if ends_branch or name == "head" else width**-0.5
                nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1.0 if self.init == "zero" else 0.02)

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """An empty key/value cache of `context` tokens for each block."""
        return [KVCache(self.context) for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        cache: list[KVCache] | None = None,
        last_only: bool = False,
        targets: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Compute the logits of the next token at each position, or of the classes.

        Args:
            tokens: Int64 (B, T), at most block_size including those in the cache.
            cache: From `new_cache`; `tokens` continue the sequences that are in it.
            last_only: Whether to return the logits at the last position only.
            targets: Int64 (B T,), the next token at each position; if given, the summed
                cross-entropy is returned instead of logits, which saves memory.
            documents: Int (B, T), which document of a packed row each token belongs to; they do
                not see each other.

        Returns:
            (B, T, V), with `last_only` (B, 1, V); from a classifier (B, K).
        """
        places, mask = places_and_mask(documents)
        x, rotation = self.embed(tokens, cache[0].length if cache else 0, places)  # (B, T, D)
        x = self.dropout(x)
        for k, block in enumerate(self.blocks):
            x = block(x, mask, rotation, cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last_only else x)
        if self.classifies:
            x = last_token(x, tokens, self.pad_id)  # (B, D)
        if targets is not None:
            return linear_cross_entropy(x.flatten(0, 1), self.head, targets)
        return self.head(x)

    def embed(
        self, tokens: Tensor, start: int, places: Tensor | None = None
    ) -> tuple[Tensor, Rotation | None]:
        """Embed tokens at positions `start` and after, (B, T, D), and give their rotations; with
        `places`, int64 (B, T), at those."""
        stop = start + tokens.shape[1]
        if stop > self.context:
            raise ValueError(f"{stop} tokens, expected at most {self.context}")
        x = self.embedding(tokens)
        if self.init == "zero":
            x = normalise(self.norm_name, x)
        x = add_positions(x, self.position, start, places)
        return x, None if self.rotary is None else self.rotary(start, stop - start, places)
