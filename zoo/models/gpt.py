"""GPT: a Transformer that reads left to right and predicts the next token.

Radford et al., 2019, https://openai.com/index/better-language-models (GPT-2, whose blocks, sizes
and initialisation are the default).
Differs from the paper: no dropout on attention weights; on request rotary positions, RMSNorm,
squared ReLU or SwiGLU, normalised queries and keys, grouped key/value heads, and branches that
start at zero, which together learn several times faster on little data (as in Jordan et al., 2024,
https://github.com/KellerJordan/modded-nanogpt).
Shapes: B batch, T tokens, D width, H heads, V vocabulary, K classes.
"""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from zoo.layers.attention import KeyValues
from zoo.layers.block import Block
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm, normalise
from zoo.layers.one_token import OneToken
from zoo.layers.pooling import last_token
from zoo.layers.positions import Rotary, Sinusoidal
from zoo.registry import MODELS


@MODELS.register(
    "gpt",
    task="causal_lm",
    tiny=dict(vocab_size=16, block_size=8, width=16, depth=2, heads=2),
)
class GPT(nn.Module):
    """A decoder of `depth` blocks.

    Args:
        vocab_size: V.
        block_size: The most tokens that it can look back on.
        width, depth, heads: D, blocks, H.
        kv_heads: Key/value heads, shared by several query heads; null for as many as heads.
        positions: How it knows where a token stands.
        norm, activation: Of the blocks.
        qk_norm: Whether to normalise queries and keys.
        bias: Whether linear layers and LayerNorms have one.
        tie: Whether the head is the embedding, transposed (Press and Wolf, 2017, arXiv:1608.05859).
        init: `gpt2`, or `zero`: what blocks add and the head's logits start at zero, embeddings at
            unit scale and normalised.
        dropout: On embeddings and on what each part of a block adds.
        num_outputs: Classes; given, the last token classifies the text, and nothing is predicted.
        pad_id: The id that fills up shorter texts, which are on the left.
    """

    takes_score = True  # as an argument of forward

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: int = 384,
        depth: int = 6,
        heads: int = 6,
        kv_heads: int | None = None,
        positions: Literal["learned", "sinusoidal", "rotary"] = "learned",
        norm: NormName = "layer",
        activation: FeedForwardName = "gelu_tanh",
        qk_norm: bool = False,
        bias: bool = True,
        tie: bool = True,
        init: Literal["gpt2", "zero"] = "gpt2",
        dropout: float = 0.0,
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.context, self.pad_id, self.init, self.depth = block_size, pad_id, init, depth
        self.norm_name = norm
        self.embedding = nn.Embedding(vocab_size, width)
        self.position: nn.Module | None = None
        if positions == "learned":
            self.position = nn.Embedding(block_size, width)
        elif positions == "sinusoidal":
            self.position = Sinusoidal(block_size, width)
        self.rotary = Rotary(block_size, width // heads) if positions == "rotary" else None
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
        width = self.embedding.embedding_dim
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                closing = name.endswith((".out", ".down"))  # what a block adds
                std = 0.02 / math.sqrt(2 * self.depth) if closing else 0.02
                if self.init == "zero":
                    std = 0.0 if closing or name == "head" else width**-0.5
                nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1.0 if self.init == "zero" else 0.02)

    def new_cache(self, batch_size: int) -> "Cache":
        """Room for the keys and values of `context` tokens, an entry a block."""
        return Cache(KeyValues(self.context) for _ in self.blocks)

    def forward(
        self,
        tokens: Tensor,
        cache: "Cache | None" = None,
        last: bool = False,
        score: Callable[[Tensor, nn.Module], Tensor] | None = None,
    ) -> Tensor:
        """Logits of the token after each, (B, T) int64 to (B, T, V); or of classes, (B, K).

        Args:
            tokens: At most block_size of them, those in the cache counted in.
            cache: From `new_cache`: `tokens` follow those given with it before.
            last: Whether only what follows the last token is wanted: (B, 1, V).
            score: Given what the head reads, (B, T, D), and the head; what it returns comes in
                place of logits: a loss that needs no more than some of them at a time.
        """
        start = cache[0].length if cache else 0
        length = tokens.shape[1]
        if start + length > self.context:
            raise ValueError(f"{start + length} tokens, expected at most {self.context}")
        x = self.embedding(tokens)  # (B, T, D)
        if self.init == "zero":
            x = normalise(self.norm_name, x)
        if isinstance(self.position, nn.Embedding):
            x = x + self.position.weight[start : start + length]
        elif self.position is not None:
            x = self.position(x, start)
        rotation = self.rotary(start, length) if self.rotary is not None else None
        if length == 1 and start and cache and (step := self._one_token(cache, len(x))):
            return step(x[:, 0], rotation)[:, None]
        x = self.dropout(x)
        for k, block in enumerate(self.blocks):
            x = block(x, rotation=rotation, cache=cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last and length > 1 else x)
        if self.classifies:
            x = last_token(x, tokens, self.pad_id)  # (B, D)
        return self.head(x) if score is None else score(x, self.head)

    def _one_token(self, cache: "Cache", batch: int) -> OneToken | None:
        """A quicker way to the same logits, where there is one."""
        if cache.quick is None:
            parts = (self.blocks, self.norm, self.head)
            fits = not self.training and not self.classifies and OneToken.fits(*parts)
            cache.quick = OneToken(*parts, cache, batch) if fits else False
        return cache.quick or None


class Cache(list[KeyValues]):
    """Keys and values of the tokens so far, an entry a block."""

    quick: OneToken | Literal[False] | None = None  # once asked for
