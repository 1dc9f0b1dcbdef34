"""RNN: a network that reads one token after another and remembers.

`rnn` is Elman's (1990, https://doi.org/10.1207/s15516709cog1402_1), `lstm` the long short-term
memory of Hochreiter and Schmidhuber (1997, https://doi.org/10.1162/neco.1997.9.8.1735; with the
forget gate of Gers et al., 2000), `gru` the gated unit of Cho et al. (2014, arXiv:1406.1078).
Differs from the papers: the GRU's reset gate acts after the recurrent product, as in cuDNN
(torch.nn.RNN, LSTM and GRU compute each layer); forget gates start open, at bias 1
(Jozefowicz et al., 2015, https://proceedings.mlr.press/v37/jozefowicz15.html), and each gate's
recurrent weights orthogonal (Saxe et al., 2014, arXiv:1312.6120).
Shapes: B batch, T tokens, D width, V vocabulary, K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.layers.dropout import Dropout
from zoo.layers.pooling import last_token, mean_token
from zoo.registry import MODELS

CELLS: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class Memory:
    """What one layer remembers of the tokens so far: (1, B, D), or a pair of them (lstm)."""

    def __init__(self) -> None:
        self.length = 0  # tokens read
        self.state: Tensor | tuple[Tensor, Tensor] | None = None

    def select(self, index: Tensor) -> None:
        """Keep these of the batch, int64 (B',), in this order: beams that live on."""
        if isinstance(self.state, tuple):
            self.state = (self.state[0][:, index], self.state[1][:, index])
        elif self.state is not None:
            self.state = self.state[:, index]


@MODELS.register("rnn", task="causal_lm", tiny=dict(vocab_size=16, width=16, depth=2))
class RNN(nn.Module):
    """`depth` recurrent layers between an embedding and a linear head.

    Args:
        vocab_size: V.
        cell: What a layer consists of.
        width: D, of embeddings and of each layer's state.
        depth: Layers.
        dropout: On embeddings, between layers and before the head (Zaremba et al., 2014,
            arXiv:1409.2329).
        tie: Whether the head is the embedding, transposed (Press and Wolf, 2017, arXiv:1608.05859).
        bidirectional: Whether each layer reads from both ends; for classifiers alone.
        pool: What classifies a text: the state after its last token, or the mean over tokens.
        num_outputs: Classes; given, the text is classified, and nothing is predicted.
        pad_id: The id that fills up shorter texts, on the right.
    """

    context = None  # it may look back as far as it remembers

    def __init__(
        self,
        vocab_size: int,
        cell: Literal["rnn", "lstm", "gru"] = "lstm",
        width: int = 256,
        depth: int = 2,
        dropout: float = 0.0,
        tie: bool = True,
        bidirectional: bool = False,
        pool: Literal["last", "mean"] = "last",
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.classifies = num_outputs is not None
        if bidirectional and not self.classifies:
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
        self.backwards: nn.ModuleList | None = None
        if bidirectional:
            self.backwards = nn.ModuleList(
                make(size, width, batch_first=True) for size in sizes[:-1]
            )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(sizes[-1], num_outputs or vocab_size)
        if tie and not self.classifies:
            self.head.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        nn.init.normal_(self.embedding.weight, std=0.1)
        for layer in (m for m in self.modules() if isinstance(m, nn.RNNBase)):
            for part in layer.weight_ih_l0.chunk(GATES[self.cell]):
                nn.init.xavier_uniform_(part)
            for part in layer.weight_hh_l0.chunk(GATES[self.cell]):
                nn.init.orthogonal_(part)
            nn.init.zeros_(layer.bias_ih_l0)
            nn.init.zeros_(layer.bias_hh_l0)
            if self.cell == "lstm":  # gates in torch's order: input, forget, cell, output
                nn.init.ones_(layer.bias_ih_l0.chunk(4)[1])

    def new_cache(self, batch_size: int) -> list[Memory]:
        """An empty memory, a list entry a layer."""
        return [Memory() for _ in self.layers]

    def forward(
        self, tokens: Tensor, cache: list[Memory] | None = None, last_only: bool = False
    ) -> Tensor:
        """Logits of the token after each, (B, T) int64 to (B, T, V); or of classes, (B, K).

        Args:
            tokens: Any number of them.
            cache: From `new_cache`: `tokens` follow those given with it before.
            last_only: Whether only the logits after the last token are wanted: (B, 1, V).
        """
        x = self.dropout(self.embedding(tokens))  # (B, T, D)
        if self.backwards is not None:
            return self.head(self.dropout(self._both_ways(x, tokens)))
        for k, layer in enumerate(self.layers):
            x, state = layer(x, cache[k].state if cache else None)
            if cache:
                cache[k].state = state
                cache[k].length += tokens.shape[1]
            x = self.dropout(x)
        if self.classifies:
            x = self._pooled(x, tokens)  # (B, D)
        return self.head(x[:, -1:] if last_only else x)

    def _pooled(self, x: Tensor, tokens: Tensor) -> Tensor:
        return (last_token if self.pool == "last" else mean_token)(x, tokens, self.pad_id)

    def _both_ways(self, x: Tensor, tokens: Tensor) -> Tensor:
        """A vector for each text, (B, 2 D). Texts are turned round without their padding."""
        assert self.backwards is not None
        turn = mirror(tokens, self.pad_id)[..., None]  # (B, T, 1)
        for k, (forth, back) in enumerate(zip(self.layers, self.backwards)):
            if k > 0:
                x = self.dropout(x)
            ahead = forth(x)[0]  # (B, T, D)
            turned = back(x.gather(1, turn.expand_as(x)))[0]
            if k + 1 == len(self.layers) and self.pool == "last":  # each has read the whole text
                return torch.cat([self._pooled(one, tokens) for one in (ahead, turned)], dim=1)
            x = torch.cat([ahead, turned.gather(1, turn.expand_as(turned))], dim=2)
        return self._pooled(x, tokens)


def mirror(tokens: Tensor, pad_id: int | None) -> Tensor:
    """Positions (B, T) that turn each text round and leave the padding on its right in place."""
    at = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    if pad_id is None:
        return at.flip(1)
    length = (tokens != pad_id).sum(1, keepdim=True)  # (B, 1)
    return torch.where(at < length, length - 1 - at, at)
