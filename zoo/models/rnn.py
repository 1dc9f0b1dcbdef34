"""RNN: a recurrent network, which reads one token after another into a hidden state.

Elman, 1990, https://doi.org/10.1207/s15516709cog1402_1: `rnn`. `lstm` is the long short-term
memory of Hochreiter and Schmidhuber (1997, https://doi.org/10.1162/neco.1997.9.8.1735; with the
forget gate of Gers et al., 2000), `gru` the gated recurrent unit of Cho et al. (2014,
arXiv:1406.1078).
Differs from the papers: the GRU's reset gate acts after the recurrent product, as in cuDNN
(torch.nn.RNN, LSTM and GRU compute each layer); forget gates start open, at bias 1
(Jozefowicz et al., 2015, https://proceedings.mlr.press/v37/jozefowicz15.html), and the recurrent
weights of each gate are orthogonal at initialisation (Saxe et al., 2014, arXiv:1312.6120).
Shapes: B batch, T tokens, D width, V vocabulary, K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.bounds import Fraction, Positive
from zoo.layers.dropout import Dropout
from zoo.layers.pooling import last_token, mean_token
from zoo.registry import MODELS

CELLS: dict[str, type[nn.RNN | nn.LSTM | nn.GRU]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class HiddenState:
    """The hidden state of one layer after the tokens so far.

    Attributes:
        length: Number of tokens read.
        state: (1, B, D), for an LSTM a pair of them (hidden and cell state); None before the first
            token.
    """

    def __init__(self) -> None:
        self.length = 0
        self.state: Tensor | tuple[Tensor, Tensor] | None = None

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, int64 (B',), in this order (the surviving beams)."""
        if isinstance(self.state, tuple):
            self.state = (self.state[0][:, rows], self.state[1][:, rows])
        elif self.state is not None:
            self.state = self.state[:, rows]


@MODELS.register("rnn", task="causal_lm", tiny=dict(vocab_size=16, width=16, depth=2))
class RNN(nn.Module):
    """A token embedding, `depth` recurrent layers and a linear head.

    Args:
        vocab_size: V.
        cell: Kind of recurrent layer.
        width: D, of embeddings and of the hidden state of each layer.
        depth: Number of layers.
        dropout: Dropout probability, on embeddings, between layers and before the head (Zaremba et
            al., 2014, arXiv:1409.2329).
        tie: Whether head and embedding share their weights (Press and Wolf, 2017,
            arXiv:1608.05859).
        bidirectional: Whether each layer reads in both directions; for classifiers and taggers.
        pool: Input of the classifier: the state after the `last` token, or the `mean` over tokens.
        num_outputs: Number of classes K: the model then classifies the sequence, instead of
            predicting tokens.
        num_tags: Number of tags K: the model then gives each token a tag.
        pad_id: Id of the padding, on the right of shorter sequences.
    """

    context = None  # sequences of any length

    def __init__(
        self,
        vocab_size: int,
        cell: Literal["rnn", "lstm", "gru"] = "lstm",
        width: Positive = 256,
        depth: Positive = 2,
        dropout: Fraction = 0.0,
        tie: bool = True,
        bidirectional: bool = False,
        pool: Literal["last", "mean"] = "last",
        num_outputs: int | None = None,
        num_tags: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.is_tagger = num_tags is not None
        self.classifies = num_outputs is not None and not self.is_tagger
        predicts_tokens = not self.classifies and not self.is_tagger
        if bidirectional and predicts_tokens:
            raise ValueError(
                "bidirectional=true: a model that predicts the next token may not see it"
            )
        if depth < 1:
            raise ValueError(f"depth={depth}: expected 1 or more")
        self.cell, self.pool, self.pad_id = cell, pool, pad_id
        self.embedding = nn.Embedding(vocab_size, width)
        sizes = [width] + [2 * width if bidirectional else width] * depth
        make = CELLS[cell]
        self.layers = nn.ModuleList(make(size, width, batch_first=True) for size in sizes[:-1])
        self.backwards: nn.ModuleList | None = None  # the layers that read in reverse
        if bidirectional:
            self.backwards = nn.ModuleList(
                make(size, width, batch_first=True) for size in sizes[:-1]
            )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(sizes[-1], num_tags or num_outputs or vocab_size)
        if tie and predicts_tokens:
            self.head.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.embedding.weight, std=0.1)
        for layer in (m for m in self.modules() if isinstance(m, nn.RNNBase)):
            for gate in layer.get_parameter("weight_ih_l0").chunk(GATES[self.cell]):
                nn.init.xavier_uniform_(gate)
            for gate in layer.get_parameter("weight_hh_l0").chunk(GATES[self.cell]):
                nn.init.orthogonal_(gate)
            nn.init.zeros_(layer.get_parameter("bias_ih_l0"))
            nn.init.zeros_(layer.get_parameter("bias_hh_l0"))
            if self.cell == "lstm":  # gates in torch's order: input, forget, cell, output
                nn.init.ones_(layer.get_parameter("bias_ih_l0").chunk(4)[1])

    def new_cache(self, batch_size: int) -> list[HiddenState]:
        """An empty hidden state for each layer."""
        return [HiddenState() for _ in self.layers]

    def forward(
        self, tokens: Tensor, cache: list[HiddenState] | None = None, last_only: bool = False
    ) -> Tensor:
        """Compute the logits of the next token at each position, of its tag, or of the classes.

        Args:
            tokens: Int64 (B, T), of any length.
            cache: From `new_cache`; `tokens` continue the sequences that are in it.
            last_only: Whether to return the logits at the last position only.

        Returns:
            (B, T, V), with `last_only` (B, 1, V); from a tagger (B, T, K), a classifier (B, K).
        """
        x = self.dropout(self.embedding(tokens))  # (B, T, D)
        if self.backwards is not None:
            return self.head(self.dropout(self._read_both_ways(x, tokens)))
        for k, layer in enumerate(self.layers):
            x, state = layer(x, cache[k].state if cache else None)
            if cache:
                cache[k].state = state
                cache[k].length += tokens.shape[1]
            x = self.dropout(x)
        if self.classifies:
            x = self._pool(x, tokens)  # (B, D)
        return self.head(x[:, -1:] if last_only else x)

    def _pool(self, x: Tensor, tokens: Tensor) -> Tensor:
        return (last_token if self.pool == "last" else mean_token)(x, tokens, self.pad_id)

    def _read_both_ways(self, x: Tensor, tokens: Tensor) -> Tensor:
        """States of both directions, pooled (B, 2 D), or of a tagger (B, T, 2 D); padding stays
        behind each sequence."""
        assert self.backwards is not None
        reverse = reversed_positions(tokens, self.pad_id)[..., None]  # (B, T, 1)
        for k, (forward_layer, reverse_layer) in enumerate(zip(self.layers, self.backwards)):
            if k > 0:
                x = self.dropout(x)
            forward_states = forward_layer(x)[0]  # (B, T, D)
            reverse_states = reverse_layer(x.gather(1, reverse.expand_as(x)))[0]
            is_last = k + 1 == len(self.layers)
            if (
                is_last and self.classifies and self.pool == "last"
            ):  # both have read all tokens there
                states = (forward_states, reverse_states)
                return torch.cat([self._pool(s, tokens) for s in states], dim=1)
            reverse_states = reverse_states.gather(1, reverse.expand_as(reverse_states))
            x = torch.cat([forward_states, reverse_states], dim=2)
        return self._pool(x, tokens) if self.classifies else x


def reversed_positions(tokens: Tensor, pad_id: int | None) -> Tensor:
    """Indices (B, T) that reverse each sequence and leave the padding on its right in place."""
    positions = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    if pad_id is None:
        return positions.flip(1)
    length = (tokens != pad_id).sum(1, keepdim=True)  # (B, 1)
    return torch.where(positions < length, length - 1 - positions, positions)
