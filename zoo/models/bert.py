"""BERT: a Transformer that reads in both directions and fills in hidden tokens.

Devlin et al., 2019, https://arxiv.org/abs/1810.04805.
Differs from the paper: no next-sentence prediction (as RoBERTa, Liu et al., 2019,
arXiv:1907.11692), so a classifier averages all tokens instead of reading the first; no dropout on
attention weights; on request norms before each part instead of after it, rotary positions,
RMSNorm, squared ReLU or SwiGLU, normalised queries and keys, and branches that start at zero,
which together learn faster on little data.
Shapes: B batch, T tokens, D width, H heads, V vocabulary, M positions, K classes.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from zoo.layers.block import Block
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForwardName
from zoo.layers.norm import NormName, make_norm
from zoo.layers.pooling import mean_token
from zoo.layers.positions import Rotary, Sinusoidal
from zoo.registry import MODELS

EPS = 1e-12  # of the norms, as in the published weights


@MODELS.register(
    "bert",
    task="masked_lm",
    tiny=dict(vocab_size=16, block_size=8, width=16, depth=2, heads=2),
)
class BERT(nn.Module):
    """An encoder of `depth` blocks and a head that names tokens, or classifies the text.

    Args:
        vocab_size: V.
        block_size: The most tokens that it can read.
        width, depth, heads: D, blocks, H.
        positions: How it knows where a token stands.
        rotary_base: Wavelength, over 2 pi, of the slowest turn of rotary positions: where even that
            is shorter than the texts, a longer text brings no turn that was never seen.
        norm, activation: Of the blocks.
        pre_norm: Whether norms come before attention and feed-forward, or after, as in the paper.
        qk_norm: Whether to normalise queries and keys.
        tie: Whether the head is the embedding, transposed.
        init: `bert`, or `zero`: what blocks add and the logits start at zero, embeddings at unit
            scale.
        token_types: Kinds of segments that a text may consist of (published weights know 2).
        dropout: On embeddings and on what each part of a block adds.
        pool: What a classifier reads: the mean over tokens, or the first one (which only a model
            trained with a `[CLS]` there knows to gather the text in).
        num_outputs: Classes; given, the text is classified, and no token named.
        pad_id: The id that fills up shorter texts; nothing attends to it.
    """

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: int = 256,
        depth: int = 6,
        heads: int = 4,
        positions: Literal["learned", "sinusoidal", "rotary"] = "learned",
        rotary_base: float = 10_000.0,
        norm: NormName = "layer",
        activation: FeedForwardName = "gelu",
        pre_norm: bool = False,
        qk_norm: bool = False,
        tie: bool = True,
        init: Literal["bert", "zero"] = "bert",
        token_types: int = 2,
        dropout: float = 0.1,
        pool: Literal["mean", "first"] = "mean",
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.context, self.pad_id, self.init, self.pool = block_size, pad_id, init, pool
        self.embedding = nn.Embedding(vocab_size, width)
        self.position: nn.Module | None = None
        if positions == "learned":
            self.position = nn.Embedding(block_size, width)
        elif positions == "sinusoidal":
            self.position = Sinusoidal(block_size, width)
        self.rotary: Rotary | None = None
        if positions == "rotary":
            self.rotary = Rotary(block_size, width // heads, rotary_base)
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
        self.classifies = num_outputs is not None
        if not self.classifies:
            self.transform = nn.Linear(width, width)
            self.transform_norm = make_norm(norm, width, eps=EPS)
        self.head = nn.Linear(width, num_outputs or vocab_size)
        if tie and not self.classifies:
            if init == "zero":
                raise ValueError("init=zero starts the head at zero: it cannot be tied; tie=false")
            self.head.weight = self.embedding.weight
        self._initialise()

    def _initialise(self) -> None:
        width, zero = self.embedding.embedding_dim, self.init == "zero"
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                closing = name == "head" or name.endswith((".out", ".down"))
                std = (0.0 if closing else width**-0.5) if zero else 0.02
                nn.init.normal_(module.weight, std=std)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=1.0 if zero else 0.02)

    def forward(
        self, tokens: Tensor, positions: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Logits of the token at each position: (B, T) int64 to (B, T, V); or of classes, (B, K).

        Args:
            tokens: At most block_size of them a text.
            positions: In the flattened tokens, int64 (M,), where logits are wanted: gives (M, V).
                Training predicts one token in seven, and the head over the vocabulary is expensive.
            types: Segment that each token belongs to, (B, T) int64; None: all to the first.
        """
        x = self._embed(tokens, types)  # (B, T, D)
        rotation = self.rotary(0, tokens.shape[1]) if self.rotary is not None else None
        mask = None
        if self.pad_id is not None:
            mask = tokens != self.pad_id
            mask[:, 0] = True  # a text of padding alone still has somewhere to look
            mask = mask[:, None, None]  # (B, 1, 1, T)
        *blocks, last_block = self.blocks
        assert isinstance(last_block, Block)
        for block in blocks:
            x = block(x, mask, rotation)
        if positions is None:
            x = last_block(x, mask, rotation)
        else:  # nothing passes between tokens any more
            x = last_block.attend(x, mask, rotation)
            x = last_block.transform(x.flatten(0, 1).index_select(0, positions))  # (M, D)
        x = self.norm(x)
        if self.classifies:
            x = x[:, 0] if self.pool == "first" else mean_token(x, tokens, self.pad_id)  # (B, D)
            return self.head(self.dropout(x))
        return self.head(self.transform_norm(F.gelu(self.transform(x))))

    def _embed(self, tokens: Tensor, types: Tensor | None) -> Tensor:
        length = tokens.shape[1]
        if length > self.context:
            raise ValueError(f"{length} tokens, expected at most {self.context}")
        x = self.embedding(tokens)
        if isinstance(self.position, nn.Embedding):
            x = x + self.position.weight[:length]
        elif self.position is not None:
            x = self.position(x)
        if self.token_type is not None:
            x = x + (self.token_type.weight[0] if types is None else self.token_type(types))
        return self.dropout(self.embedding_norm(x))
