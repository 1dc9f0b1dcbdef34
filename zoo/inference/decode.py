"""Fast decoding step: the logits after one more token of each sequence.

Generation computes one token at a time. The overhead of nn.Module then takes nearly as long as a
small model's arithmetic, so the weights are collected once and torch's functions called on them.
The layers define what is computed; tests hold this step to the same logits.
Shapes: B sequences, D width, H heads, G key/value heads, E head width, V vocabulary. With
one sequence vectors are (D,), since a matrix times a vector is cheaper than times a matrix of one
row.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeGuard, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.inference.protocols import BlockLanguageModel, LanguageModel
from zoo.kernels import kernel_choice
from zoo.kernels.cpu.linear import AMD
from zoo.kernels.hooks import has_hooks
from zoo.kernels.registry import REFERENCE
from zoo.layers.attention import Attention
from zoo.layers.block import Block, PreNormBlock
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward
from zoo.layers.linear import Linear
from zoo.layers.mixture import GroupedLinear, Mixture
from zoo.layers.positions import Rotation, rotate

VectorMap = Callable[[Tensor], Tensor]
SUPPORTED_LAYERS = (
    Block, PreNormBlock, Attention, FeedForward, Mixture, GroupedLinear, Linear, Dropout,
    nn.Linear, nn.LayerNorm, nn.RMSNorm,
)  # fmt: skip


class DecodeStep:
    """Decodes one token of each sequence through blocks, a final norm and a head.

    Args:
        model: Supported (see `supports`).
        cache: Keys and values of the tokens so far, of each block.
        batch: B.
    """

    def __init__(self, model: BlockLanguageModel, cache: list[KVCache], batch: int) -> None:
        self.model, self.cache, self.batch_is_one = model, cache, batch == 1
        self.steps = [_block_step(*pair, batch) for pair in zip(model.blocks, cache, strict=True)]
        self.norm, self.head = _norm(model.norm), _linear(model.head, self.batch_is_one)

    @classmethod
    def of(cls, model: LanguageModel, cache: list[KVCache], batch: int) -> "DecodeStep | None":
        """Build a step, or return None if the model must be called itself."""
        return cls(model, cache, batch) if supports(model) else None

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits after new tokens, int64 (B, 1): (B, V). Appends keys and values to the cache."""
        x, rotation = self.model.embed(tokens, self.cache[0].length)
        x = x[0, 0] if self.batch_is_one else x[:, 0]
        for step in self.steps:
            x = step(x, rotation)
        y = self.head(self.norm(x))
        return y[None] if self.batch_is_one else y


def supports(model: LanguageModel) -> TypeGuard[BlockLanguageModel]:
    """Whether a `DecodeStep` computes what calling the model would.

    The model's own class must set `decodes_by_blocks` (subclasses do not inherit it), its layers
    must be among SUPPORTED_LAYERS, and it must be in evaluation mode, without hooks, gradients,
    autocast or a choice of reference kernels.
    """
    if kernel_choice() == REFERENCE or not vars(type(model)).get("decodes_by_blocks"):
        return False
    if not isinstance(model, nn.Module) or has_hooks(model):
        return False
    return _is_plain(cast(BlockLanguageModel, model))


def _is_plain(model: BlockLanguageModel) -> bool:
    device = next(model.parameters()).device.type
    if torch.is_grad_enabled():
        return False
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return False
    if model.training or model.classifies:
        return False
    layers = [m for module in (model.blocks, model.norm, model.head) for m in module.modules()]
    return all(
        isinstance(layer, nn.ModuleList)
        or type(layer) in SUPPORTED_LAYERS
        and not has_hooks(layer)
        and not (isinstance(layer, Block) and (layer.cross is not None or not layer.pre_norm))
        for layer in layers
    )


def _block_step(
    block: nn.Module, cache: KVCache, batch: int
) -> Callable[[Tensor, Rotation | None], Tensor]:
    """The block as a function of new vectors, (D,) or (B, D), and their rotation."""
    assert isinstance(block, Block | PreNormBlock)
    attention, batch_is_one = block.attention, batch == 1
    assert isinstance(attention, Attention)
    qkv, out = _linear(attention.qkv, batch_is_one), _linear(attention.out, batch_is_one)
    feed_forward = _feed_forward(block.feed_forward, batch)
    norm, feed_forward_norm = _norm(block.attention_norm), _norm(block.feed_forward_norm)
    heads, kv_heads, qk_norm = attention.heads, attention.kv_heads, attention.qk_norm
    shape = (batch, 1, heads + 2 * kv_heads, attention.head_width)
    split, append, attend = torch.split_with_sizes, cache.append, attention.attend
    normalise = attention.normalise

    def step(x: Tensor, rotation: Rotation | None) -> Tensor:
        h = qkv(norm(x)).view(shape)
        if qk_norm is None and rotation is None:
            q, kv = split(h, (heads, 2 * kv_heads), 2)
        else:
            qk, v = split(h, (heads + kv_heads, kv_heads), 2)
            qk = qk if qk_norm is None else normalise(qk)
            qk = qk if rotation is None else rotate(qk, rotation)
            q, k = split(qk, (heads, kv_heads), 2)
            kv = torch.cat([k, v], 2)
        h = attend([q, *append(kv)])  # (B, 1, H, E)
        x = x + out(h.flatten(1) if x.ndim > 1 else h.flatten())
        return x + feed_forward(feed_forward_norm(x))

    return step


def _feed_forward(layer: nn.Module, batch: int) -> VectorMap:
    """The layer as a function of (D,) or (B, D); a mixture is called as it is."""
    if isinstance(layer, Mixture):
        return lambda x: layer(x.view(batch, 1, -1)).view(x.shape)
    assert isinstance(layer, FeedForward)
    up, down, activate = (
        _linear(layer.up, batch == 1),
        _linear(layer.down, batch == 1),
        layer.activate,
    )
    return lambda x: down(activate(up(x)))


def _linear(layer: nn.Linear, batch_is_one: bool) -> VectorMap:
    """The layer as a function of (D,) if `batch_is_one`, else of (B, D)."""
    weight, bias = layer.weight, layer.bias
    if not batch_is_one:
        return lambda x: F.linear(x, weight, bias)
    if AMD and weight.device.type == "cpu" and len(weight) >= weight.shape[1]:
        return _transposed(weight, bias)
    return partial(torch.mv, weight) if bias is None else partial(torch.addmv, bias, weight)


def _transposed(weight: Tensor, bias: Tensor | None) -> VectorMap:
    """The same with a transposed copy of the weights, (threads, D, outputs / threads).

    MKL's matrix-vector product is slow on AMD processors: it computes a dot product for each
    output, on one core, and takes 1.6 to 3 times as long.
    """
    outputs, threads = len(weight), torch.get_num_threads()
    padding = -outputs % threads
    chunks = F.pad(weight, (0, 0, 0, padding)).view(threads, -1, weight.shape[1]).mT.contiguous()
    shape = (threads, 1, weight.shape[1])
    if bias is None:
        return lambda x: torch.bmm(x.expand(shape), chunks).view(-1)[:outputs]
    biases = F.pad(bias, (0, padding)).view(threads, 1, -1)
    return lambda x: torch.baddbmm(biases, x.expand(shape), chunks).view(-1)[:outputs]


def _norm(layer: nn.Module) -> VectorMap:
    if isinstance(layer, nn.RMSNorm):
        shape, scale, epsilon = layer.normalized_shape, layer.weight, layer.eps
        return lambda x: torch.rms_norm(x, shape, scale, epsilon)
    assert isinstance(layer, nn.LayerNorm)
    size, weight, bias, eps = layer.normalized_shape, layer.weight, layer.bias, layer.eps
    return lambda x: torch.layer_norm(x, size, weight, bias, eps)
