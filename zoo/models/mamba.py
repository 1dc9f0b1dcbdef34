"""Mamba: a state space model that decides, token by token, what to keep in its state.

Gu and Dao, 2023, https://arxiv.org/abs/2312.00752. A channel's state h decays and is written to,
and read, at rates that follow from the token itself:
    h_t = exp(delta_t A) h_(t-1) + delta_t B_t x_t,    y_t = C_t h_t + D x_t.
As a recurrent network it keeps a state of constant size when it generates; in training, all tokens
of a text are computed together (zoo/kernels/chunked_scan.py).
Differs from the paper: optional dropout, and a head that classifies. Sizes, initialisation and the
discretisation of B are those of the authors' code.
Shapes: B batch, T tokens, D width, E channels (expand D), N numbers of state of each channel, R
rank of the step sizes, K taps of the convolution, V vocabulary, O classes.
"""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Fraction, Positive
from zoo.kernels import linear_cross_entropy, selective_scan
from zoo.layers.dropout import Dropout
from zoo.layers.linear import Linear
from zoo.layers.norm import make_norm
from zoo.layers.pooling import last_token
from zoo.registry import MODELS

STEPS = (1e-3, 0.1)  # range of delta at initialisation: the slowest states fade in 1 / delta tokens


class MambaState:
    """What one block keeps of the tokens so far.

    Attributes:
        length: Number of tokens read.
        recent: Inputs of the convolution at the last K - 1 tokens, (B, K - 1, E).
        state: (B, N, E).
    """

    def __init__(self, recent: Tensor, state: Tensor) -> None:
        self.length, self.recent, self.state = 0, recent, state

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64 (B',), in this order (the surviving beams)."""
        self.recent, self.state = self.recent[rows], self.state[rows]


class MambaBlock(nn.Module):
    """A norm and the paper's mixer, in a residual branch.

    Args:
        width, channels, state, rank, kernel: D, E, N, R, K.
        dropout: At the end of the branch.
    """

    def __init__(
        self, width: int, channels: int, state: int, rank: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.sizes = rank, state, state
        self.norm = make_norm("rms", width)
        self.up = Linear(width, 2 * channels, bias=False)  # x and its gate
        self.conv = nn.Conv1d(channels, channels, kernel, groups=channels)
        self.select = Linear(channels, sum(self.sizes), bias=False)  # delta (of rank R), B, C
        self.step = Linear(rank, channels)  # delta, of all channels
        # The recurrence's own parameters stay in float32 under init.dtype=bf16, in which the decay
        # of a slow state would be rounded to 1.
        exact = torch.promote_types(torch.get_default_dtype(), torch.float32)
        # log(-A), (N, E), as a vector: an optimizer would decay a matrix, or orthogonalise it.
        self.log_rates = nn.Parameter(torch.empty(state * channels, dtype=exact))
        self.skip = nn.Parameter(torch.ones(channels, dtype=exact))  # the paper's D
        self.out = Linear(channels, width, bias=False)
        self.dropout = Dropout(dropout)

    def new_state(self, batch_size: int) -> MambaState:
        """Before the first token."""
        channels, _, kernel = self.conv.weight.shape
        return MambaState(
            self.conv.weight.new_zeros(batch_size, kernel - 1, channels),
            self.log_rates.new_zeros(batch_size, self.sizes[1], channels),
        )

    def forward(self, x: Tensor, past: MambaState | None = None) -> Tensor:
        """(B, T, D) to the same; `past`, of the tokens before, is updated with these."""
        past = past or self.new_state(len(x))
        u, gate = self.up(self.norm(x)).chunk(2, dim=-1)  # (B, T, E)
        u = F.silu(self._convolve(u, past))
        delta, b, c = self.select(u).split(self.sizes, dim=-1)
        delta = F.softplus(self.step(delta))  # (B, T, E)
        u, delta, b, c = (t.to(self.skip.dtype) for t in (u, delta, b, c))  # whatever autocast does
        rates = -self.log_rates.exp().view(self.sizes[1], -1)  # (N, E)
        y = selective_scan(u, delta, rates, b, c, past.state) + self.skip * u
        past.length += x.shape[1]
        return x + self.dropout(self.out((y * F.silu(gate)).to(x.dtype)))

    def _convolve(self, u: Tensor, past: MambaState) -> Tensor:
        """The weighted sum of each channel's last K tokens: (B, T, E) to the same."""
        tokens, window = u.shape[1], torch.cat([past.recent, u], dim=1)  # (B, K - 1 + T, E)
        past.recent = window[:, tokens:].detach().clone()  # a view would keep the whole text
        assert self.conv.bias is not None
        y = self.conv.bias  # by tap: a third of what conv1d and its transposes take
        for k, tap in enumerate(self.conv.weight[:, 0].T):  # (E,)
            y = y + window[:, k : k + tokens] * tap
        return y

    def initialise(self, depth: int) -> None:
        """As the authors do, in a model of `depth` blocks; what is not set here is torch's own."""
        count = self.sizes[1]
        with torch.no_grad():
            self.log_rates.view(count, -1).copy_(torch.arange(1, count + 1).log()[:, None])
            self.out.weight /= math.sqrt(depth)
            low, high = map(math.log, STEPS)
            delta = torch.empty_like(self.step.bias).uniform_(low, high).exp()
            self.step.bias.copy_(delta + (-(-delta).expm1()).log())  # softplus is then delta


@MODELS.register(
    "mamba",
    task="causal_lm",
    tiny=dict(vocab_size=16, width=16, depth=2, state=4),
)
class Mamba(nn.Module):
    """A token embedding, `depth` blocks, a norm and a linear head.

    Args:
        vocab_size: V.
        width, depth: D, number of blocks.
        expand: Channels of a block for each of its inputs, E / D.
        state: N, numbers that a channel keeps.
        kernel: K, tokens that the convolution sees, the last included.
        rank: R; null for a sixteenth of the width.
        tie: Whether head and embedding share their weights (Press and Wolf, 2017,
            arXiv:1608.05859).
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
        num_outputs: Number of classes O: the model then classifies a sequence by its last token,
            instead of predicting tokens.
        pad_id: Id of the padding, on the right of shorter sequences.
    """

    context = None  # sequences of any length
    accepts_targets = True  # zoo/tasks/base.py

    def __init__(
        self,
        vocab_size: int,
        width: Positive = 256,
        depth: Positive = 8,
        expand: Positive = 2,
        state: Positive = 16,
        kernel: Positive = 4,
        rank: Positive | None = None,
        tie: bool = True,
        dropout: Fraction = 0.0,
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.pad_id, rank = pad_id, rank or math.ceil(width / 16)
        self.embedding = nn.Embedding(vocab_size, width)
        self.dropout = Dropout(dropout)
        sizes = (width, expand * width, state, rank, kernel)
        self.blocks = nn.ModuleList(MambaBlock(*sizes, dropout) for _ in range(depth))
        self.norm = make_norm("rms", width)
        self.classifies = num_outputs is not None
        self.head = nn.Linear(width, num_outputs or vocab_size, bias=self.classifies)
        if tie and not self.classifies:
            self.head.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.embedding.weight, std=0.02)
        for block in self._blocks():
            block.initialise(len(self.blocks))

    def new_cache(self, batch_size: int) -> list[MambaState]:
        """The state of each block before the first token."""
        return [block.new_state(batch_size) for block in self._blocks()]

    def _blocks(self) -> list[MambaBlock]:
        return cast(list[MambaBlock], list(self.blocks))

    def forward(
        self,
        tokens: Tensor,
        cache: list[MambaState] | None = None,
        last_only: bool = False,
        targets: Tensor | None = None,
    ) -> Tensor:
        """Compute the logits of the next token at each position, or of the classes.

        Args:
            tokens: Int64 (B, T), of any length.
            cache: From `new_cache`; `tokens` continue the sequences that are in it.
            last_only: Whether to return the logits at the last position only.
            targets: Int64 (B T,), the next token at each position; if given, the summed
                cross-entropy is returned instead of logits, which saves memory.

        Returns:
            (B, T, V), with `last_only` (B, 1, V); from a classifier (B, O).
        """
        x = self.dropout(self.embedding(tokens))  # (B, T, D)
        for k, block in enumerate(self.blocks):
            x = block(x, cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last_only else x)
        if self.classifies:
            x = last_token(x, tokens, self.pad_id)  # (B, D)
        if targets is not None:
            return linear_cross_entropy(x.flatten(0, 1), self.head, targets)
        return self.head(x)
