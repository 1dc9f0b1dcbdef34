"""RNN with attention: a recurrent decoder that looks back at the source for each word it writes.

Bahdanau, Cho and Bengio, 2015, https://arxiv.org/abs/1409.0473.
Differs from the paper: GRUs are torch's (the reset gate acts after the product, as in cuDNN); the
output layer sees the decoder's new state (equation 4) in a tanh layer instead of maxout; dropout on
request; source and target share one vocabulary and, by default, one embedding.
Shapes: B batch, S source tokens, T target tokens, E embedding, D width, A attention, V vocabulary.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.layers.dropout import Dropout
from zoo.registry import MODELS


class Memory(NamedTuple):
    """What the encoder made of the source.

    Attributes:
        states: Annotations, both directions (B, S, 2 D).
        keys: Their part of the alignment model (B, S, A), the same for every target word.
        mask: True at tokens that are no padding, bool (B, S).
    """

    states: Tensor
    keys: Tensor
    mask: Tensor


class Cache:
    """The decoder's state after the tokens so far (B, D); None before the first."""

    def __init__(self) -> None:
        self.state: Tensor | None = None


class AdditiveAttention(nn.Module):
    """Which source words matter now: e_j = v . tanh(W s + U h_j), softmax over j.

    `zoo.layers.attention.record_attention` collects the weights.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(2 * width, inner, bias=False)
        self.score = nn.Linear(inner, 1, bias=False)
        self.record: list[Tensor] | None = None

    def forward(self, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Context (B, 2 D) and weights (B, S) of a decoder's state (B, D)."""
        hidden = torch.tanh(self.query(state)[:, None] + memory.keys)  # (B, S, A)
        scores = self.score(hidden)[..., 0].masked_fill(~memory.mask, float("-inf"))
        weights = scores.softmax(-1)  # (B, S)
        return (weights[:, None] @ memory.states)[:, 0], weights


@MODELS.register(
    "rnn_attention",
    task="seq2seq",
    tiny=dict(vocab_size=16, pad_id=0, width=12, embedding=8),
)
class RnnAttention(nn.Module):
    """A bidirectional GRU reads, another GRU writes and attends at each step.

    Args:
        vocab_size: V.
        pad_id: The id that fills up shorter sentences, on the right.
        width: D, of each direction of the encoder and of the decoder.
        embedding: E; null for D.
        attention: A; null for D.
        tie: Whether source and target share one embedding.
        dropout: On embeddings and before the output layer.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        width: int = 256,
        embedding: int | None = None,
        attention: int | None = None,
        tie: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        embedding = embedding or width
        self.target = nn.Embedding(vocab_size, embedding)
        self.source = self.target if tie else nn.Embedding(vocab_size, embedding)
        self.encoder = nn.GRU(embedding, width, batch_first=True, bidirectional=True)
        self.begin = nn.Linear(width, width)
        self.attention = AdditiveAttention(width, attention or width)
        self.cell = nn.GRUCell(embedding + 2 * width, width)
        self.out = nn.Linear(width + embedding + 2 * width, embedding)
        self.head = nn.Linear(embedding, vocab_size)
        self.dropout = Dropout(dropout)
        self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrences, as in the paper's appendix B; the rest by Glorot's rule."""
        for name, parameter in self.named_parameters():
            if parameter.ndim < 2:
                nn.init.zeros_(parameter)
            elif "weight_hh" in name:
                for gate in parameter.data.chunk(3):
                    nn.init.orthogonal_(gate)
            else:
                nn.init.xavier_uniform_(parameter)
        for embedding in (self.source, self.target):
            nn.init.normal_(embedding.weight, std=0.1)

    def forward(self, source: Tensor, target: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits of the token after each of the target.

        Args:
            source: int64 (B, S), padded on the right.
            target: int64 (B, T), from the beginning token on.
            positions: In the flattened target, int64 (M,), where logits are wanted.

        Returns:
            (B, T, V), or (M, V) with `positions`.
        """
        x = self._states(target, self.encode(source), Cache())
        return self.head(x if positions is None else x.flatten(0, 1)[positions])

    def encode(self, source: Tensor) -> Memory:
        """What the encoder makes of a source, int64 (B, S)."""
        mask = source != self.pad_id
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.source(source)),
            mask.sum(1).tolist(),  # read backwards, a sentence begins at its own end
            batch_first=True,
            enforce_sorted=False,
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.encoder(packed)[0], batch_first=True, total_length=source.shape[1]
        )
        return Memory(states, self.attention.key(states), mask)

    def decode(self, tokens: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """Logits of the token after each of `tokens`, int64 (B, T): (B, T, V).

        Args:
            tokens: The target so far, or with a cache what follows.
            memory: Of the source, from `encode`.
            cache: From `new_cache`: `tokens` follow those given with it before.
        """
        return self.head(self._states(tokens, memory, cache or Cache()))

    def _states(self, tokens: Tensor, memory: Memory, cache: Cache) -> Tensor:
        """What the output layer reads (B, T, E)."""
        if cache.state is None:  # from the source's first word, read backwards
            backward = memory.states[:, 0].chunk(2, dim=-1)[1]
            cache.state = torch.tanh(self.begin(backward))
        state, seen, looks = cache.state, [], []
        embedded = self.dropout(self.target(tokens))  # (B, T, E)
        for word in embedded.unbind(1):
            context, weights = self.attention(state, memory)
            state = self.cell(torch.cat([word, context], dim=-1), state)
            seen.append(torch.cat([state, context], dim=-1))
            looks.append(weights)
        cache.state = state
        if self.attention.record is not None:
            self.attention.record.append(torch.stack(looks, dim=1)[:, None])  # (B, 1, T, S)
        x = torch.cat([torch.stack(seen, dim=1), embedded], dim=-1)
        return self.dropout(torch.tanh(self.out(x)))

    def new_cache(self, batch_size: int) -> Cache:
        """An empty cache for `decode`."""
        return Cache()

    def select(self, kept: Memory | Cache, index: Tensor) -> Memory | Cache:
        """The memory, or the cache (changed itself), of these of the batch, int64 (B',)."""
        if isinstance(kept, Memory):
            return Memory(*(one[index] for one in kept))
        if kept.state is not None:
            kept.state = kept.state[index]
        return kept
