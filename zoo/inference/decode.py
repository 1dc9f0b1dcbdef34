"""One more token of each text through a stack of blocks, in as few calls as can be.

Generation asks for a token at a time. nn.Module's bookkeeping then takes nearly as long as a small
model's arithmetic, so here the weights are collected once and torch's functions called on them. The
layers define what is computed; tests hold this to the same logits.
Shapes: B texts, D width, H heads, G key/value heads, E = D / H. With one text vectors are (D,), and
a product with a vector is cheaper than one with a matrix of one row.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.kernels import kernel_choice, normalise
from zoo.kernels.cpu.linear import AMD
from zoo.kernels.hooks import has_hooks
from zoo.kernels.registry import REFERENCE
from zoo.layers.attention import Attention
from zoo.layers.block import Block
from zoo.layers.cache import KVCache
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward
from zoo.layers.linear import Linear
from zoo.layers.positions import Rotation, rotate

Map = Callable[[Tensor], Tensor]
SUPPORTED_LAYERS = (
    Block, Attention, FeedForward, Linear, Dropout,
    nn.Linear, nn.LayerNorm, nn.RMSNorm,
)  # fmt: skip


class DecodeStep:
    """One more token of each text, through blocks, a last norm and a head.

    Args:
        model: With `embed`, `blocks` (pre-norm, without cross-attention), `norm` and `head`.
        cache: Keys and values of each block's tokens so far.
        batch: B.
    """

    def __init__(self, model: Any, cache: list[KVCache], batch: int) -> None:
        self.model, self.cache, self.batch_is_one = model, cache, batch == 1
        self.steps = [_block_step(*pair, batch) for pair in zip(model.blocks, cache, strict=True)]
        self.norm, self.head = _norm(model.norm), _linear(model.head, self.batch_is_one)

    @classmethod
    def of(cls, model: nn.Module, cache: list[KVCache], batch: int) -> "DecodeStep | None":
        """One for a model that it knows, else None: the model must then be called itself."""
        return cls(model, cache, batch) if supports(model) else None

    def __call__(self, tokens: Tensor) -> Tensor:
        """Logits after the new tokens, int64 (B, 1): (B, V); keys and values join the cache."""
        x, rotation = self.model.embed(tokens, self.cache[0].length)
        x = x[0, 0] if self.batch_is_one else x[:, 0]
        for step in self.steps:
            x = step(x, rotation)
        y = self.head(self.norm(x))
        return y[None] if self.batch_is_one else y


def supports(model: Any) -> bool:
    """Whether calling the model comes to the same as a `DecodeStep`.

    It must say so of itself (a class attribute `decodes_by_blocks`, which subclasses do not
    inherit), consist of layers known here, and be in evaluation mode; nothing may listen to it by
    hooks, nor want a gradient, another precision or the references of kernels alone.
    """
    if kernel_choice() == REFERENCE or not vars(type(model)).get("decodes_by_blocks"):
        return False
    device = next(model.parameters()).device.type
    if torch.is_grad_enabled() or torch.is_autocast_enabled(device):
        return False
    if model.training or model.classifies or has_hooks(model):
        return False
    layers = [m for part in (model.blocks, model.norm, model.head) for m in part.modules()]
    return all(
        isinstance(layer, nn.ModuleList)
        or type(layer) in SUPPORTED_LAYERS
        and not has_hooks(layer)
        and not (isinstance(layer, Block) and (layer.cross is not None or not layer.pre_norm))
        for layer in layers
    )


def _block_step(
    block: Block, cache: KVCache, batch: int
) -> Callable[[Tensor, Rotation | None], Tensor]:
    attention, feed_forward, one = block.attention, block.feed_forward, batch == 1
    qkv, out = _linear(attention.qkv, one), _linear(attention.out, one)
    up, down = _linear(feed_forward.up, one), _linear(feed_forward.down, one)
    norm, other_norm = _norm(block.attention_norm), _norm(block.feed_forward_norm)
    heads, kv_heads, qk_norm = attention.heads, attention.kv_heads, attention.qk_norm
    shape = (batch, 1, heads + 2 * kv_heads, attention.head_width)
    split, append, attend = torch.split_with_sizes, cache.append, attention.attend
    activate = feed_forward.activate

    def step(x: Tensor, rotation: Rotation | None) -> Tensor:
        h = qkv(norm(x)).view(shape)
        if qk_norm is None and rotation is None:
            q, kv = split(h, (heads, 2 * kv_heads), 2)
        else:
            qk, v = split(h, (heads + kv_heads, kv_heads), 2)
            qk = qk if qk_norm is None else normalise(qk_norm, qk)
            qk = qk if rotation is None else rotate(qk, rotation)
            q, k = split(qk, (heads, kv_heads), 2)
            kv = torch.cat([k, v], 2)
        x = x + out(attend([q, *append(kv)]).reshape(x.shape))
        return x + down(activate(up(other_norm(x))))

    return step


def _linear(layer: nn.Linear, one: bool) -> Map:
    """Of (D,) if `one`, else of (B, D)."""
    weight, bias = layer.weight, layer.bias
    if not one:
        return lambda x: F.linear(x, weight, bias)
    if AMD and weight.device.type == "cpu" and len(weight) >= weight.shape[1]:
        return _transposed(weight, bias)
    return partial(torch.mv, weight) if bias is None else partial(torch.addmv, bias, weight)


def _transposed(weight: Tensor, bias: Tensor | None) -> Map:
    """The same with a transposed copy of the weights, (threads, D, outputs / threads).

    MKL's product with a vector is not made for AMD's processors: it takes a dot product for each
    output, on one core, and 1.6 to 3 times as long.
    """
    outputs, threads = len(weight), torch.get_num_threads()
    more = -outputs % threads
    parts = F.pad(weight, (0, 0, 0, more)).view(threads, -1, weight.shape[1]).mT.contiguous()
    shape = (threads, 1, weight.shape[1])
    if bias is None:
        return lambda x: torch.bmm(x.expand(shape), parts).view(-1)[:outputs]
    biases = F.pad(bias, (0, more)).view(threads, 1, -1)
    return lambda x: torch.baddbmm(biases, x.expand(shape), parts).view(-1)[:outputs]


def _norm(layer: nn.Module) -> Map:
    if isinstance(layer, nn.RMSNorm):
        shape, scale, epsilon = layer.normalized_shape, layer.weight, layer.eps
        return lambda x: torch.rms_norm(x, shape, scale, epsilon)
    assert isinstance(layer, nn.LayerNorm)
    size, weight, bias, eps = layer.normalized_shape, layer.weight, layer.bias, layer.eps
    return lambda x: torch.layer_norm(x, size, weight, bias, eps)
