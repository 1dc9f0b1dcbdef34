"""Transformer: an encoder reads the source, a decoder writes the target token by token.

Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.
Differs from the paper: normalisation comes before each part by default, which learns without a long
warm-up (Xiong et al., 2020, arXiv:2002.04745; pre_norm=false is the paper's); sines and cosines
of the positions stand side by side rather than by turns; no dropout on attention weights; on
request learned or rotary positions (in self-attention), RMSNorm and other activations.
Shapes: B batch, S source tokens, T target tokens, D width, H heads, V vocabulary of both sides.
"""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from zoo.kernels import padding_mask
from zoo.layers.block import Block
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.positions import Rotary, Rotation, Sinusoidal
from zoo.registry import MODELS


class Memory(NamedTuple):
    """What the encoder made of the source.

    Attributes:
        states: (B, S, D).
        mask: True at tokens that are no padding, bool (B, 1, 1, S); None where there is no padding.
    """

    states: Tensor
    mask: Tensor | None


class Cache:
    """Keys and values of the target so far and of the memory, of each block of the decoder."""

    def __init__(self, capacity: int, depth: int) -> None:
        self.target = [KVCache(capacity) for _ in range(depth)]
        self.memory = [KVCache(capacity) for _ in range(depth)]

    @property
    def length(self) -> int:
        """Target tokens so far."""
        return self.target[0].length


class Embedding(nn.Module):
    """Tokens to vectors that know their position: (B, T) int64 to (B, T, D)."""

    def __init__(
        self, tokens: nn.Embedding, positions: nn.Module | None, dropout: float, context: int
    ) -> None:
        super().__init__()
        self.tokens, self.positions, self.dropout = tokens, positions, Dropout(dropout)
        self.context, self.scale = context, tokens.embedding_dim**0.5

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """The first token stands at `start`."""
        stop = start + tokens.shape[1]
        if stop > self.context:
            raise ValueError(f"{stop} tokens, expected at most {self.context}")
        x = self.tokens(tokens) * self.scale
        if isinstance(self.positions, nn.Embedding):
            x = x + self.positions.weight[start:stop]
        elif self.positions is not None:
            x = self.positions(x, start)
        return self.dropout(x)


@MODELS.register(
    "transformer",
    task="seq2seq",
    tiny=dict(vocab_size=16, pad_id=0, max_length=8, width=16, depth=1, heads=2, inner=32),
)
class Transformer(nn.Module):
    """An encoder and a decoder of blocks.

    Args:
        vocab_size: V.
        pad_id: The id that fills up shorter sentences, on the right.
        max_length: The most tokens of either side.
        width, heads: D, H.
        depth: Blocks of the encoder.
        decoder_depth: Blocks of the decoder; null for as many.
        inner: Neurons of the feed-forward parts; null for 4 D (8 D / 3 with swiglu).
        positions: How it knows where a token stands.
        rotary_base: Wavelength, over 2 pi, of the slowest turn of rotary positions: where even that
            is shorter than the texts, a longer text brings no turn that was never seen.
        norm, activation: Of the blocks.
        pre_norm: Whether normalisation comes before each part of a block or after.
        tie: Whether source, target and head share one matrix (section 3.4 of the paper).
        dropout: On embeddings and on what each part of a block adds.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        max_length: int,
        width: int = 512,
        depth: int = 6,
        decoder_depth: int | None = None,
        heads: int = 8,
        inner: int | None = None,
        positions: Literal["sinusoidal", "learned", "rotary"] = "sinusoidal",
        rotary_base: float = 10_000.0,
        norm: NormName = "layer",
        activation: FeedForwardName = "relu",
        pre_norm: bool = True,
        tie: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pad_id, self.context = pad_id, max_length
        words = nn.Embedding(vocab_size, width)
        others = words if tie else nn.Embedding(vocab_size, width)
        self.source, self.target = (
            Embedding(one, self._positions(positions, width), dropout, max_length)
            for one in (others, words)
        )
        self.rotary: Rotary | None = None
        if positions == "rotary":
            self.rotary = Rotary(max_length, width // heads, rotary_base)
        common = dict(
            activation=activation, inner=inner, norm=norm, pre_norm=pre_norm, dropout=dropout
        )
        self.encoder = nn.ModuleList(Block(width, heads, **common) for _ in range(depth))
        self.decoder = nn.ModuleList(
            Block(width, heads, causal=True, cross=True, **common)
            for _ in range(decoder_depth or depth)
        )
        # After a last part that is not normalised itself.
        self.encoder_norm = make_norm(norm, width) if pre_norm else nn.Identity()
        self.decoder_norm = make_norm(norm, width) if pre_norm else nn.Identity()
        self.head = nn.Linear(width, vocab_size, bias=False)
        self._initialise()
        if tie:
            self.head.weight = words.weight

    def _positions(self, name: str, width: int) -> nn.Module | None:
        if name == "learned":
            return nn.Embedding(self.context, width)
        return Sinusoidal(self.context, width) if name == "sinusoidal" else None

    def _initialise(self) -> None:
        """Glorot and Bengio, 2010; embeddings of length one, which `Embedding` scales up."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)

    def forward(self, source: Tensor, target: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits of the token after each of the target.

        Args:
            source: int64 (B, S), padded on the right.
            target: int64 (B, T), from the beginning token on.
            positions: In the flattened target, int64 (M,), where logits are wanted.

        Returns:
            (B, T, V), or (M, V) with `positions`.
        """
        x = self._states(target, self.encode(source), None)
        return self.head(x if positions is None else x.flatten(0, 1)[positions])

    def encode(self, source: Tensor) -> Memory:
        """What the encoder makes of a source, int64 (B, S)."""
        mask = padding_mask(source, self.pad_id)
        x, rotation = self.source(source), self._rotation(0, source.shape[1])
        for block in self.encoder:
            x = block(x, mask=mask, rotation=rotation)
        return Memory(self.encoder_norm(x), mask)

    def decode(self, tokens: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """Logits of the token after each of `tokens`, int64 (B, T): (B, T, V).

        Args:
            tokens: The target so far, or with a cache what follows.
            memory: Of the source, from `encode`.
            cache: From `new_cache`: `tokens` follow those given with it before.
        """
        return self.head(self._states(tokens, memory, cache))

    def _states(self, tokens: Tensor, memory: Memory, cache: Cache | None) -> Tensor:
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

    def select(self, kept: Memory | Cache, index: Tensor) -> Memory | Cache:
        """The memory, or the cache (changed itself), of these of the batch, int64 (B',)."""
        if isinstance(kept, Memory):
            mask = None if kept.mask is None else kept.mask[index]
            return Memory(kept.states[index], mask)
        for one in (*kept.target, *kept.memory):
            one.select(index)
        return kept
