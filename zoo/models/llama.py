"""Llama: the decoder whose architecture most open language models share.

Touvron et al., 2023, https://arxiv.org/abs/2302.13971; Grattafiori et al., 2024, arXiv:2407.21783
(Llama 3). By options: Mistral (Jiang et al., 2023, arXiv:2310.06825), whose tokens attend to a
sliding window; Qwen2 (Yang et al., 2024, arXiv:2407.10671), with biases on queries, keys and
values; Qwen3 (Yang et al., 2025, arXiv:2505.09388), which normalises queries and keys; SmolLM2
(Allal et al., 2025, arXiv:2502.02737); Mixtral (Jiang et al., 2024, arXiv:2401.04088) and Qwen3's
mixtures, with experts in place of each feed-forward layer.
Compared with GPT-2: RMSNorm (no mean, no bias) instead of LayerNorm; positions rotate queries and
keys instead of being added to embeddings; SwiGLU instead of GELU; few key/value heads, each shared
by a group of query heads; no biases.
Differs from the papers: dropout is possible, at the end of each residual branch.
Shapes: B batch, T tokens, D width, H heads, E head width, V vocabulary, K classes.
"""

import contextlib
import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.bounds import AboveZero, Fraction, Natural, Positive
from zoo.kernels import linear_cross_entropy
from zoo.layers.attention import Attention
from zoo.layers.block import PreNormBlock
from zoo.layers.cache import KVCache
from zoo.layers.documents import places_and_mask
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward
from zoo.layers.mixture import Mixture, add_auxiliary, refuse_auxiliary
from zoo.layers.pooling import last_token
from zoo.layers.positions import Rotary, Rotation
from zoo.layers.recording import count_only
from zoo.layers.start import initialise
from zoo.registry import MODELS
from zoo.schema import bind

BIASES = {  # of queries, keys and values; of the projection after attention; of SwiGLU
    "none": (False, False, False),
    "qkv": (True, False, False),
    "attention": (True, True, False),
    "mlp": (False, False, True),
    "all": (True, True, True),
}
SCALINGS = {  # settings of `rope_scaling` by its type
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
}


@MODELS.register(
    "llama",
    task="causal_lm",
    tiny=dict(vocab_size=16, block_size=8, width=16, depth=2, heads=4, kv_heads=2),
)
class Llama(nn.Module):
    """A token embedding, `depth` causal blocks, an RMSNorm and a linear head.

    Args:
        vocab_size: V.
        block_size: Maximum length of a sequence, in tokens: the context.
        width, depth, heads: D, number of blocks, H.
        kv_heads: Number of key/value heads, each shared by several query heads; null for H.
        head_width: E; null for D / H.
        inner: Width inside SwiGLU; null for 8 D / 3, rounded up to a multiple of 8.
        window: How many tokens a token attends to at most, itself included; null for all.
        rope_base: Wavelength of the slowest rotation, over 2 pi.
        rope_scaling: How rotations are slowed down, so that a model reads longer texts than it was
            pretrained on; see `rotation_rates`.
        qk_norm: Whether queries and keys are normalised.
        bias: Which linear layers have a bias: `none`, `qkv`, `attention` (its last one too), `mlp`
            or `all`.
        mixture: Options of a `Mixture` of experts in place of each feed-forward layer, such as
            {experts: 8, active: 2}; null for none.
        tie: Whether head and embedding share their weights.
        eps: Epsilon of the norms.
        init: `normal` (all of standard deviation 0.02), or `zero`: residual branches and logits
            are zero at initialisation, embeddings have unit scale.
        dropout: Dropout probability, on embeddings and at the end of each residual branch.
        num_outputs: Number of classes K: the model then classifies a sequence by its last token,
            instead of predicting tokens.
        pad_id: Id of the padding, on the right of shorter sequences.
    """

    decodes_by_blocks = True  # forward is embed, blocks, norm, head: zoo/inference/decode.py
    accepts_targets = reads_documents = True  # zoo/tasks/base.py

    def __init__(
        self,
        vocab_size: int,
        block_size: int,
        width: Positive = 384,
        depth: Natural = 6,
        heads: Positive = 6,
        kv_heads: Positive | None = None,
        head_width: Positive | None = None,
        inner: Positive | None = None,
        window: Positive | None = None,
        rope_base: AboveZero = 10_000.0,
        rope_scaling: dict[str, Any] | None = None,
        qk_norm: bool = False,
        bias: Literal["none", "qkv", "attention", "mlp", "all"] = "none",
        mixture: dict[str, Any] | None = None,
        tie: bool = False,
        eps: AboveZero = 1e-5,
        init: Literal["normal", "zero"] = "normal",
        dropout: Fraction = 0.0,
        num_outputs: int | None = None,
        pad_id: int | None = None,
    ) -> None:
        super().__init__()
        self.context, self.pad_id, self.window = block_size, pad_id, window
        self.has_experts = mixture is not None
        self.embedding = nn.Embedding(vocab_size, width)
        rates = rotation_rates(head_width or width // heads, rope_base, rope_scaling)
        self.rotary = Rotary(block_size, 2 * len(rates), rates=rates)
        self.dropout = Dropout(dropout)
        qkv_bias, out_bias, inner_bias = BIASES[bias]

        def block() -> PreNormBlock:
            attention = Attention(
                width,
                heads,
                kv_heads,
                causal=True,
                bias=qkv_bias,
                qk_norm="learned" if qk_norm else None,
                out_bias=out_bias,
                head_width=head_width,
                window=window,
                eps=eps,
            )
            feed_forward = (
                FeedForward(width, "swiglu", inner, inner_bias)
                if mixture is None
                else Mixture(**bind(Mixture, mixture, {"width": width}, "model.mixture", "mixture"))
            )
            return PreNormBlock(width, attention, feed_forward, eps, dropout)

        self.blocks = nn.ModuleList(block() for _ in range(depth))
        self.norm = nn.RMSNorm(width, eps)
        self.classifies = num_outputs is not None
        self.head = nn.Linear(width, num_outputs or vocab_size, bias=False)
        if tie and not self.classifies:
            if init == "zero":
                raise ValueError("init=zero starts the head at zero: it cannot be tied; tie=false")
            self.head.weight = self.embedding.weight
        initialise(self, init)

    def new_cache(self, batch_size: int) -> list[KVCache]:
        """An empty key/value cache for each block, of `context` tokens, or of the window's."""
        return [KVCache(self.context, self.window) for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        cache: list[KVCache] | None = None,
        last_only: bool = False,
        targets: Tensor | None = None,
        documents: Tensor | None = None,
    ) -> Tensor:
        """Compute the logits of the next token at each position, or of the classes.

        Args:
            tokens: Int64 (B, T), at most block_size including those in the cache.
            cache: From `new_cache`; `tokens` continue the sequences that are in it.
            last_only: Whether to return the logits at the last position only.
            targets: Int64 (B T,), the next token at each position; if given, the summed
                cross-entropy is returned instead of logits, which saves memory.
            documents: Int (B, T), which document of a packed row each token belongs to; they do
                not see each other.

        Returns:
            (B, T, V), with `last_only` (B, 1, V); from a classifier (B, K).
        """
        places, mask = places_and_mask(documents)
        x, rotation = self.embed(tokens, cache[0].length if cache else 0, places)  # (B, T, D)
        x = self.dropout(x)
        with self._without_padding(tokens):
            for k, block in enumerate(self.blocks):
                x = block(x, mask, rotation, cache[k] if cache else None)
        x = self.norm(x[:, -1:] if last_only else x)
        if self.classifies:
            x = last_token(x, tokens, self.pad_id)  # (B, D)
        if targets is None:
            if self.training:
                refuse_auxiliary(self)
            return self.head(x)
        return add_auxiliary(linear_cross_entropy(x.flatten(0, 1), self.head, targets), self)

    def _without_padding(self, tokens: Tensor) -> contextlib.AbstractContextManager[None]:
        """Leave a classifier's padding out of the experts' load; else the task does that."""
        if not (self.training and self.has_experts and self.classifies) or self.pad_id is None:
            return contextlib.nullcontext()
        return count_only(self, tokens != self.pad_id)

    def embed(
        self, tokens: Tensor, start: int, places: Tensor | None = None
    ) -> tuple[Tensor, Rotation]:
        """Embed tokens at positions `start` and after, (B, T, D), and give their rotations; with
        `places`, int64 (B, T), at those."""
        stop = start + tokens.shape[1]
        if stop > self.context:
            raise ValueError(f"{stop} tokens, expected at most {self.context}")
        return self.embedding(tokens), self.rotary(start, stop - start, places)


def rotation_rates(head_width: int, base: float, scaling: dict[str, Any] | None) -> Tensor:
    """Radians by which each pair of a head turns from one position to the next, float32 (E / 2,).

    Args:
        head_width: E.
        base: Wavelength of the slowest pair, over 2 pi.
        scaling: None, or {type: linear, factor} (Chen et al., 2023, arXiv:2306.15595), which slows
            all pairs down; or {type: llama3, factor, low_freq_factor, high_freq_factor,
            original_max_position_embeddings} (Llama 3.1), which keeps those that turn often within
            the original context, slows down those that hardly turn, and interpolates in between.

    Raises:
        ValueError: An odd width, another type, or a setting that it lacks.
    """
    if head_width % 2:
        raise ValueError(f"rotary positions need an even head width, got {head_width}")
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32) / head_width
    rates = 1.0 / (base**exponents)
    if scaling is None:
        return rates
    factor, *others = _scaling_values(scaling)
    if not others:
        return rates / factor
    low, high, original = others
    turns = original / (2 * math.pi / rates)  # within the original context
    share = (turns - low) / (high - low)  # of the rates as they were
    between = (1 - share) * rates / factor + share * rates
    return torch.where(turns < low, rates / factor, torch.where(turns > high, rates, between))


def _scaling_values(scaling: dict[str, Any]) -> list[float]:
    """The numbers of `rope_scaling`, as SCALINGS names them."""
    names = SCALINGS.get(str(scaling.get("type"))) if isinstance(scaling, dict) else None
    if names is None or {*names, "type"} != scaling.keys():
        expected = ", or ".join(
            f"{{type: {one}, {', '.join(own)}}}" for one, own in SCALINGS.items()
        )
        raise ValueError(f"rope_scaling={scaling}: expected null, {expected}")
    values = [scaling[name] for name in names]
    if not all(isinstance(v, int | float) and 0 < v < math.inf for v in values):
        raise ValueError(f"rope_scaling={scaling}: expected numbers above 0")
    return values
