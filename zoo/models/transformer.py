"""Transformer: an encoder for the source, and a decoder that predicts the target from it.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.
Differs from the paper: pre-norm by default, which trains without a long warm-up (Xiong et al.,
2020, arXiv:2002.04745; pre_norm=false is the paper's); in the positions all sines precede all
cosines instead of alternating with them; no dropout on attention weights. Optional: learned or
rotary positions (in self-attention), RMSNorm and other activations.
Shapes: B batch, S source tokens, T target tokens, D width, H heads, V vocabulary (of source and
target), M predicted positions.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from zoo.bounds import AboveZero, Fraction, Natural, Positive
from zoo.kernels import padding_mask
from zoo.layers.block import Block
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.positions import PositionName, Rotation, add_positions, make_absolute, make_rotary
from zoo.registry import MODELS


class Memory(NamedTuple):
    """The encoder's output.

    Attributes:
        states: (B, S, D).
        mask: True at tokens that are not padding, bool (B, 1, 1, S); None without any padding.
    """

    states: Tensor
    mask: Tensor | None


class Cache:
    """Key/value caches of each decoder block: of the target so far, and of the memory."""

    def __init__(self, capacity: int, depth: int) -> None:
        self.target = [KVCache(capacity) for _ in range(depth)]
        self.memory = [KVCache(capacity) for _ in range(depth)]

    @property
    def length(self) -> int:
        """Number of target tokens so far."""
        return self.target[0].length


class Embedding(nn.Module):
    """Token embedding, scaled by sqrt(D), plus positions (section 3.4 of the paper)."""

    def __init__(
        self, tokens: nn.Embedding, positions: nn.Module | None, dropout: float, context: int
    ) -> None:
        super().__init__()
        self.tokens, self.positions, self.dropout = tokens, positions, Dropout(dropout)
        self.context, self.scale = context, tokens.embedding_dim**0.5

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Int64 (B, T) to (B, T, D); the first token is at position `start`."""
        stop = start + tokens.shape[1]
        if stop > self.context:
            raise ValueError(f"{stop} tokens, expected at most {self.context}")
        return self.dropout(add_positions(self.tokens(tokens) * self.scale, self.positions, start))


@MODELS.register(
    "transformer",
    task="seq2seq",
    tiny=dict(vocab_size=16, pad_id=0, max_length=8, width=16, depth=1, heads=2, inner=32),
)
class Transformer(nn.Module):
    """An encoder and a decoder, each a stack of blocks, and a linear head.

    Args:
        vocab_size: V.
        pad_id: Id of the padding, on the right of shorter sequences.
        max_length: Maximum length of a source or a target, in tokens.
        width, heads: D, H.
        depth: Number of encoder blocks.
        decoder_depth: Number of decoder blocks; null for as many.
        inner: Width of the hidden layer of feed-forward; null for 4 D (8 D / 3 with swiglu).
        positions: Kind of position embedding.
        rotary_base: Wavelength, over 2 pi, of the slowest rotation of rotary positions. With all
            wavelengths shorter than the training sequences, longer ones contain no unseen angles.
        norm, activation: Kind of norm and of non-linearity in the blocks.
        pre_norm: Whether norms come before attention and feed-forward; false: after, as in the
            paper.
        tie: Whether source embedding, target embedding and head share their weights (section 3.4).
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        max_length: int,
        width: Positive = 512,
        depth: Natural = 6,
        decoder_depth: Natural | None = None,
        heads: Positive = 8,
        inner: Positive | None = None,
        positions: PositionName = "sinusoidal",
        rotary_base: AboveZero = 10_000.0,
        norm: NormName = "layer",
        activation: FeedForwardName = "relu",
        pre_norm: bool = True,
        tie: bool = True,
        dropout: Fraction = 0.1,
    ) -> None:
        super().__init__()
        self.pad_id, self.context = pad_id, max_length
        target_tokens = nn.Embedding(vocab_size, width)
        source_tokens = target_tokens if tie else nn.Embedding(vocab_size, width)
        self.source, self.target = (
            Embedding(tokens, make_absolute(positions, max_length, width), dropout, max_length)
            for tokens in (source_tokens, target_tokens)
        )
        self.rotary = make_rotary(positions, max_length, width // heads, rotary_base)
        block = partial(
            Block,
            width,
            heads,
            activation=activation,
            inner=inner,
            norm=norm,
            pre_norm=pre_norm,
            dropout=dropout,
        )
        self.encoder = nn.ModuleList(block() for _ in range(depth))
        self.decoder = nn.ModuleList(
            block(causal=True, cross=True) for _ in range(decoder_depth or depth)
        )
        self.encoder_norm = make_norm(norm, width) if pre_norm else nn.Identity()
        self.decoder_norm = make_norm(norm, width) if pre_norm else nn.Identity()
        self.head = nn.Linear(width, vocab_size, bias=False)
        self._initialise()
        if tie:
            self.head.weight = target_tokens.weight

    def _initialise(self) -> None:
        """Glorot and Bengio, 2010; embedding vectors of norm 1, which `Embedding` scales up."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)

    def forward(self, source: Tensor, target: Tensor, positions: Tensor | None = None) -> Tensor:
        """Compute the logits of the next token at each position of the target.

        Args:
            source: Int64 (B, S), padded on the right.
            target: Int64 (B, T), from the beginning token on.
            positions: Int64 (M,), indices into the flattened target: return logits there only.

        Returns:
            (B, T, V), with `positions` (M, V).
        """
        x = self._states(target, self.encode(source), None)  # (B, T, D)
        return self.head(x if positions is None else x.flatten(0, 1)[positions])

    def encode(self, source: Tensor) -> Memory:
        """Encode a source, int64 (B, S)."""
        mask = padding_mask(source, self.pad_id)
        x, rotation = self.source(source), self._rotation(0, source.shape[1])  # (B, S, D)
        for block in self.encoder:
            x = block(x, mask=mask, rotation=rotation)
        return Memory(self.encoder_norm(x), mask)

    def decode(self, tokens: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """Compute the logits of the token after each of `tokens`, int64 (B, T): (B, T, V).

        Args:
            tokens: The target so far, or with a cache the tokens that continue it.
            memory: From `encode`.
            cache: From `new_cache`.
        """
        return self.head(self._states(tokens, memory, cache))

    def _states(self, tokens: Tensor, memory: Memory, cache: Cache | None) -> Tensor:
        """The input of the head at each position of the target, (B, T, D)."""
        start = cache.length if cache else 0
        x, rotation = self.target(tokens, start), self._rotation(start, tokens.shape[1])
        for k, block in enumerate(self.decoder):
            x = block(
                x,
                rotation=rotation,
                cache=cache.target[k] if cache else None,
                memory=memory.states,
                memory_mask=memory.mask,
                memory_cache=cache.memory[k] if cache else None,
            )
        return self.decoder_norm(x)

    def _rotation(self, start: int, tokens: int) -> Rotation | None:
        return self.rotary(start, tokens) if self.rotary is not None else None

    def new_cache(self, batch_size: int) -> Cache:
        """An empty cache for `decode`."""
        return Cache(self.context, len(self.decoder))

    def select(self, past: Memory | Cache, rows: Tensor) -> Memory | Cache:
        """Select rows of the batch, int64 (B',), of a memory or a cache, which is changed."""
        if isinstance(past, Memory):
            mask = None if past.mask is None else past.mask[rows]
            return Memory(past.states[rows], mask)
        for layer_cache in (*past.target, *past.memory):
            layer_cache.select(rows)
        return past
