"""BERT: a Transformer encoder that attends in both directions and predicts masked tokens.

Devlin et al., 2019, https://arxiv.org/abs/1810.04805.
Differs from the paper: next-sentence prediction only with pairs of passages, else none (as RoBERTa,
Liu et al., 2019, arXiv:1907.11692), so a classifier reads the mean over all tokens instead of the
first token; no dropout on attention weights. Optional: pre-norm instead of post-norm, rotary
positions, RMSNorm, squared ReLU or SwiGLU, normalised queries and keys, and residual branches that
are zero at initialisation; together they train faster on little data. A head for pairs may compare
the mean vectors of both passages besides reading the first token.
Shapes: B batch, T tokens, D width, H heads, V vocabulary, M predicted positions,
K classes.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from zoo.bounds import AboveZero, Fraction, Natural, Positive
from zoo.layers.block import Block
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import ElementwiseName, FeedForwardName, elementwise
from zoo.layers.norm import NormName, make_norm
from zoo.layers.pooling import mean_token, mean_where
from zoo.layers.positions import PositionName, add_positions, make_absolute, make_rotary
from zoo.registry import MODELS

EPS = 1e-12  # epsilon of the norms, as in the published models


class PairHead(nn.Module):
    """Says whether the second passage follows the first.

    Args:
        width: D.
        passages: Whether it reads, besides the first token, `[CLS]`, how the mean vectors u and v
            of the passages compare: u * v and |u - v|, as in Conneau et al., 2017,
            arXiv:1705.02364, figure 1. Trained on few pairs, `[CLS]` alone is less accurate.
    """

    def __init__(self, width: int, passages: bool) -> None:
        super().__init__()
        self.passages = passages
        self.pooler = nn.Linear(3 * width if passages else width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, first: Tensor, u: Tensor | None = None, v: Tensor | None = None) -> Tensor:
        """Vectors of first tokens (B, D), and with `passages` the mean vectors u and v of both
        passages (B, D), to logits of "it follows" and "it does not", (B, 2)."""
        if u is not None and v is not None:
            first = torch.cat([first, u * v, (u - v).abs()], 1)
        return self.head(self.pooler(first).tanh())


@MODELS.register(
    "bert",
    task="masked_lm",
    tiny=dict(vocab_size=16, block_size=8, width=16, depth=2, heads=2),
)
class BERT(nn.Module):
    """An encoder of `depth` blocks with a head over the vocabulary, over classes, or over tags.

    Args:
        vocab_size: V.
        block_size: Maximum length of a sequence, in tokens.
        width, depth, heads: D, number of blocks, H.
        positions: Kind of position embedding.
        rotary_base: Wavelength, over 2 pi, of the slowest rotation of rotary positions. With all
            wavelengths shorter than the training sequences, longer ones contain no unseen angles.
        norm, activation: Kind of norm and of non-linearity in the blocks.
        head_activation: Non-linearity in the head over the vocabulary.
        pre_norm: Whether norms come before attention and feed-forward; false: after, as in the
            paper.
        qk_norm: Whether to normalise queries and keys.
        tie: Whether head and embedding share their weights.
        init: `bert`, or `zero`: residual branches and logits are zero at initialisation, embeddings
            have unit scale.
        token_types: Number of segment types (published models have 2); 0 for no segment embedding.
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
        pool: Input of the classifier: the `mean` over tokens, or the `first` token, which suits
            models that were pretrained with a `[CLS]` token there.
        num_outputs: Number of classes K: the model then classifies the sequence, instead of
            predicting tokens.
        num_tags: Number of tags K: the model then gives each token a tag.
        pad_id: Id of the padding, which no token attends to.
        next_sentence: Whether a second head says if the second segment follows the first.
        pair_pool: What that head reads: the `first` token, as in the paper, or besides it the mean
            vectors of both `passages`.
    """

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: Positive = 256,
        depth: Positive = 6,
        heads: Positive = 4,
        positions: PositionName = "learned",
        rotary_base: AboveZero = 10_000.0,
        norm: NormName = "layer",
        activation: FeedForwardName = "gelu",
        head_activation: ElementwiseName = "gelu",
        pre_norm: bool = False,
        qk_norm: bool = False,
        tie: bool = True,
        init: Literal["bert", "zero"] = "bert",
        token_types: Natural = 2,
        dropout: Fraction = 0.1,
        pool: Literal["mean", "first"] = "mean",
        num_outputs: int | None = None,
        num_tags: int | None = None,
        pad_id: int | None = None,
        next_sentence: bool = False,
        pair_pool: Literal["first", "passages"] = "first",
    ) -> None:
        super().__init__()
        if next_sentence and token_types == 1:
            raise ValueError("token_types=1: pairs have two segments; expected 2, or 0 for none")
        self.context, self.pad_id, self.init, self.pool = block_size, pad_id, init, pool
        self.head_activation: ElementwiseName = head_activation
        self.embedding = nn.Embedding(vocab_size, width)
        self.position = make_absolute(positions, block_size, width)
        self.rotary = make_rotary(positions, block_size, width // heads, rotary_base)
        self.token_type = nn.Embedding(token_types, width) if token_types else None
        self.embedding_norm = make_norm(norm, width, eps=EPS)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(
                width,
                heads,
                activation=activation,
                norm=norm,
                pre_norm=pre_norm,
                qk_norm=qk_norm,
                eps=EPS,
                dropout=dropout,
            )
            for _ in range(depth)
        )
        self.norm = make_norm(norm, width, eps=EPS) if pre_norm else nn.Identity()
        self.is_tagger = num_tags is not None
        self.classifies = num_outputs is not None and not self.is_tagger
        self._add_head(num_tags or num_outputs or vocab_size, norm, tie)
        if next_sentence and not self.classifies and not self.is_tagger:
            self.pair = PairHead(width, passages=pair_pool == "passages")
        self._initialise()

    def _add_head(self, outputs: int, norm: NormName, tie: bool) -> None:
        width = self.embedding.embedding_dim
        predicts_tokens = not self.classifies and not self.is_tagger
        if predicts_tokens:
            self.transform = nn.Linear(width, width)
            self.transform_norm = make_norm(norm, width, eps=EPS)
        self.head = nn.Linear(width, outputs)
        if tie and predicts_tokens:
            if self.init == "zero":
                raise ValueError("init=zero starts the head at zero: it cannot be tied; tie=false")
            self.head.weight = self.embedding.weight

    def _initialise(self) -> None:
        """As in the authors' code: std 0.02."""
        width, zero = self.embedding.embedding_dim, self.init == "zero"
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                starts_at_zero = name == "head" or name.endswith((".out", ".down"))
                std = (0.0 if starts_at_zero else width**-0.5) if zero else 0.02
                nn.init.normal_(module.weight, std=std)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1.0 if zero else 0.02)

    def forward(
        self,
        tokens: Tensor,
        positions: Tensor | None = None,
        types: Tensor | None = None,
        pairs: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the logits of the token at each position, of its tag, or of the classes.

        Args:
            tokens: Int64 (B, T), at most block_size long.
            positions: Int64 (M,), indices into the flattened tokens: return logits there only.
                Training predicts one token in seven, and the LM head is expensive.
            types: Segment of each token, int64 (B, T); None: the first for all.
            pairs: Whether to say also, for each row, if its second segment follows the first;
                needs `positions`.

        Returns:
            (B, T, V), with `positions` (M, V); from a tagger (B, T, K), a classifier (B, K). With
            `pairs` (M, V) and logits of "it follows" and "it does not", (B, 2).
        """
        if pairs:
            return self._both(tokens, positions, types)
        x = self._encode(tokens, types, self._visible(tokens), positions)
        if self.classifies:
            x = x[:, 0] if self.pool == "first" else mean_token(x, tokens, self.pad_id)  # (B, D)
        if self.classifies or self.is_tagger:
            return self.head(self.dropout(x))
        return self._token_logits(x)

    def _token_logits(self, x: Tensor) -> Tensor:
        return self.head(self.transform_norm(elementwise(self.head_activation, self.transform(x))))

    def _both(
        self, tokens: Tensor, positions: Tensor | None, types: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The logits of tokens and of pairs."""
        assert positions is not None
        visible = self._visible(tokens)
        if self.pair.passages:
            assert types is not None
            x = self._encode(tokens, types, visible, None)  # (B, T, D)
            passages = (types == 0, types == 1)
            if visible is not None:
                passages = (passages[0] & visible, passages[1] & visible)
            answers = self.pair(x[:, 0], *(mean_where(x, passage) for passage in passages))
            return self._token_logits(x.flatten(0, 1).index_select(0, positions)), answers
        first = tokens.shape[1] * torch.arange(len(tokens), device=tokens.device)  # of each row
        chosen = torch.cat([positions, first])
        x = self._encode(tokens, types, visible, chosen)  # (M + B, D)
        return self._token_logits(x[: len(positions)]), self.pair(x[len(positions) :])

    def token_vectors(self, tokens: Tensor, visible: Tensor, types: Tensor | None = None) -> Tensor:
        """The vector of each token, from which a head computes logits.

        Args:
            tokens: Int64 (B, T).
            visible: Which of them are not padding, bool (B, T), at least one in each row: no token
                attends to the others, whatever their ids.
            types: As in `forward`.

        Returns:
            (B, T, D).
        """
        return self._encode(tokens, types, visible, None)

    def _visible(self, tokens: Tensor) -> Tensor | None:
        """Which tokens are not padding, bool (B, T); None without padding."""
        if self.pad_id is None:
            return None
        visible = tokens != self.pad_id
        visible[:, 0] = True  # a softmax over nothing, in a sequence of padding only, would be NaN
        return visible

    def _encode(
        self, tokens: Tensor, types: Tensor | None, visible: Tensor | None, positions: Tensor | None
    ) -> Tensor:
        """Vectors after the last block: (B, T, D), with `positions` (M, D)."""
        x = self._embed(tokens, types)  # (B, T, D)
        rotation = self.rotary(0, tokens.shape[1]) if self.rotary is not None else None
        mask = None if visible is None else visible[:, None, None]  # (B, 1, 1, T)
        *blocks, last_block = self.blocks
        assert isinstance(last_block, Block)
        for block in blocks:
            x = block(x, mask, rotation)
        if positions is None:
            x = last_block(x, mask, rotation)
        else:  # layers after the last attention treat each token separately
            x = last_block.attend(x, mask, rotation)
            x = last_block.transform(x.flatten(0, 1).index_select(0, positions))  # (M, D)
        return self.norm(x)

    def _embed(self, tokens: Tensor, types: Tensor | None) -> Tensor:
        """Sum of token, position and segment embeddings, normalised: (B, T, D)."""
        length = tokens.shape[1]
        if length > self.context:
            raise ValueError(f"{length} tokens, expected at most {self.context}")
        x = add_positions(self.embedding(tokens), self.position)
        if self.token_type is not None:
            x = x + (self.token_type.weight[0] if types is None else self.token_type(types))
        return self.dropout(self.embedding_norm(x))
