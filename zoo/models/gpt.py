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
from typing import Literal

from torch import Tensor, nn

from zoo.kernels import linear_cross_entropy, normalise
from zoo.layers.block import Block
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.pooling import last_token
from zoo.layers.positions import Rotary, Rotation, Sinusoidal
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

    decodes_by_blocks = True  # `forward` is embed, blocks, norm, head: zoo/inference/decode.py

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

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """Room for the keys and values of `context` tokens, an entry a block."""
        return [KVCache(self.context) for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        cache: list[KVCache] | None = None,
        last_only: bool = False,
        targets: Tensor | None = None,
    ) -> Tensor:
        """Logits of the token after each, (B, T) int64 to (B, T, V); or of classes, (B, K).

        Args:
            tokens: At most block_size of them, those in the cache counted in.
            cache: From `new_cache`: `tokens` follow those given with it before.
            last_only: Whether only the logits after the last token are wanted: (B, 1, V).
            targets: Int64 (B T,): given, their summed cross-entropy comes in place of logits.
        """
        x, rotation = self.embed(tokens, cache[0].length if cache else 0)
        x = self.dropout(x)
        for k, block in enumerate(self.blocks):
            x = block(x, rotation=rotation, cache=cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last_only else x)
        if self.classifies:
            x = last_token(x, tokens, self.pad_id)  # (B, D)
        if targets is not None:
            return linear_cross_entropy(x.flatten(0, 1), self.head, targets)
        return self.head(x)

    def embed(self, tokens: Tensor, start: int) -> tuple[Tensor, Rotation | None]:
        """Vectors of tokens that stand at `start` and after, (B, T, D), and their rotation."""
        stop = start + tokens.shape[1]
        if stop > self.context:
            raise ValueError(f"{stop} tokens, expected at most {self.context}")
        x = self.embedding(tokens)
        if self.init == "zero":
            x = normalise(self.norm_name, x)
        if isinstance(self.position, nn.Embedding):
            x = x + self.position.weight[start:stop]
        elif self.position is not None:
            x = self.position(x, start)
        return x, None if self.rotary is None else self.rotary(start, stop - start)
