"""RNN with attention: an encoder-decoder whose decoder attends to the source at each step.

Bahdanau, Cho and Bengio, 2015, https://arxiv.org/abs/1409.0473.
Differs from the paper: GRUs are torch's (the reset gate acts after the product, as in cuDNN); the
output layer reads the decoder's new state (equation 4) in a tanh layer instead of maxout; optional
dropout; source and target share one vocabulary and, by default, one embedding.
Shapes: B batch, S source tokens, T target tokens, E embedding, D width, A attention, V vocabulary,
M predicted positions.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.bounds import Fraction, Positive
from zoo.layers.dropout import Dropout
from zoo.layers.recording import RecordsAttention
from zoo.registry import MODELS


class Memory(NamedTuple):
    """The encoder's output.

    Attributes:
        states: Hidden states of both directions, the paper's annotations: (B, S, 2 D).
        keys: Their term U h_j of the attention scores, the same for all target tokens: (B, S, A).
        mask: True at tokens that are not padding, bool (B, S).
    """

    states: Tensor
    keys: Tensor
    mask: Tensor


class Cache:
    """The decoder's hidden state after the tokens so far (B, D); None before the first."""

    def __init__(self) -> None:
        self.state: Tensor | None = None


class AdditiveAttention(RecordsAttention):
    """Scores e_j = v . tanh(W s + U h_j) of source positions j, softmax over j."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(2 * width, inner, bias=False)
        self.score = nn.Linear(inner, 1, bias=False)

    def forward(self, state: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Attend from the decoder's state (B, D): context vector (B, 2 D) and weights (B, S)."""
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
    """A bidirectional GRU encoder, and a GRU decoder with additive attention.

    Args:
        vocab_size: V.
        pad_id: Id of the padding, on the right of shorter sequences.
        width: D, of each direction of the encoder and of the decoder.
        embedding: E; null for D.
        attention: A; null for D.
        tie: Whether source and target share one embedding.
        dropout: Dropout probability, on embeddings and before the head.
    """

    def __init__(
        self,
        vocab_size: int,
        pad_id: int,
        width: Positive = 256,
        embedding: Positive | None = None,
        attention: Positive | None = None,
        tie: bool = True,
        dropout: Fraction = 0.1,
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
        """Orthogonal recurrent weights, as in the paper's appendix B; the others by Glorot."""
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
        """Compute the logits of the next token at each position of the target.

        Args:
            source: Int64 (B, S), padded on the right.
            target: Int64 (B, T), from the beginning token on.
            positions: Int64 (M,), indices into the flattened target: return logits there only.

        Returns:
            (B, T, V), with `positions` (M, V).
        """
        x = self._states(target, self.encode(source), Cache())
        return self.head(x if positions is None else x.flatten(0, 1)[positions])

    def encode(self, source: Tensor) -> Memory:
        """Encode a source, int64 (B, S)."""
        mask = source != self.pad_id
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.source(source)),
            mask.sum(1).tolist(),  # the reverse direction begins at the last token, not in padding
            batch_first=True,
            enforce_sorted=False,
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(
            self.encoder(packed)[0], batch_first=True, total_length=source.shape[1]
        )
        return Memory(states, self.attention.key(states), mask)

    def decode(self, tokens: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """Compute the logits of the token after each of `tokens`, int64 (B, T): (B, T, V).

        Args:
            tokens: The target so far, or with a cache the tokens that continue it.
            memory: From `encode`.
            cache: From `new_cache`.
        """
        return self.head(self._states(tokens, memory, cache or Cache()))

    def _states(self, tokens: Tensor, memory: Memory, cache: Cache) -> Tensor:
        """The input of the head at each position of the target, (B, T, E)."""
        if cache.state is None:  # the reverse direction's state at the first token has read all
            backward = memory.states[:, 0].chunk(2, dim=-1)[1]
            cache.state = torch.tanh(self.begin(backward))
        state, outputs, attention_rows = cache.state, [], []
        embedded = self.dropout(self.target(tokens))  # (B, T, E)
        for word in embedded.unbind(1):
            context, weights = self.attention(state, memory)
            state = self.cell(torch.cat([word, context], dim=-1), state)
            outputs.append(torch.cat([state, context], dim=-1))
            attention_rows.append(weights)
        cache.state = state
        if self.attention.record is not None:
            maps = torch.stack(attention_rows, dim=1)[:, None]  # (B, 1, T, S)
            self.attention.record.append(maps)
        x = torch.cat([torch.stack(outputs, dim=1), embedded], dim=-1)
        return self.dropout(torch.tanh(self.out(x)))

    def new_cache(self, batch_size: int) -> Cache:
        """An empty cache for `decode`."""
        return Cache()

    def select(self, past: Memory | Cache, rows: Tensor) -> Memory | Cache:
        """Select rows of the batch, int64 (B',), of a memory or a cache, which is changed."""
        if isinstance(past, Memory):
            return Memory(*(tensor[rows] for tensor in past))
        if past.state is not None:
            past.state = past.state[rows]
        return past
