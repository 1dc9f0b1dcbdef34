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

from zoo.layers.attention import Attention, KeyValues
from zoo.layers.block import Block
from zoo.layers.dropout import Dropout
from zoo.layers.feed_forward import FeedForward
from zoo.layers.linear import AMD, Linear
from zoo.layers.norm import normalise
from zoo.layers.positions import Rotation, rotate

Map = Callable[[Tensor], Tensor]
KNOWN = (Block, Attention, FeedForward, Linear, nn.Linear, nn.LayerNorm, nn.RMSNorm, Dropout)


class OneToken:
    """Blocks, a last norm and a head, ready for one token of each text at a time.

    Args:
        blocks: Pre-norm ones without attention to another sequence.
        norm, head: What follows them.
        cache: Keys and values of each block's tokens so far.
        batch: B.
    """

    def __init__(
        self, blocks: Any, norm: nn.Module, head: nn.Linear, cache: list[KeyValues], batch: int
    ) -> None:
        self.one = batch == 1
        self.steps = [_block_step(*pair, batch) for pair in zip(blocks, cache, strict=True)]
        self.norm, self.head = _norm(norm), _linear(head, self.one)

    @staticmethod
    def fits(*parts: nn.Module) -> bool:
        """Whether these consist of layers known here, and nothing listens to them or needs their
        gradient or another precision."""
        device = next(parts[0].parameters()).device.type
        if torch.is_grad_enabled() or torch.is_autocast_enabled(device):
            return False
        for module in (module for part in parts for module in part.modules()):
            if isinstance(module, nn.ModuleList):
                continue
            if type(module) not in KNOWN or module._forward_hooks or module._forward_pre_hooks:
                return False
            if isinstance(module, Block) and not (module.pre_norm and module.cross is None):
                return False
        return True

    def __call__(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """(B, D) to what the head says, (B, V); the keys and values are added to the cache."""
        if self.one:
            x = x[0]
        for step in self.steps:
            x = step(x, rotation)
        y = self.head(self.norm(x))
        return y[None] if self.one else y


def _block_step(
    block: Block, cache: KeyValues, batch: int
) -> Callable[[Tensor, Rotation | None], Tensor]:
    attention, feed_forward, one = block.attention, block.feed_forward, batch == 1
    qkv, out = _linear(attention.qkv, one), _linear(attention.out, one)
    up, down = _linear(feed_forward.up, one), _linear(feed_forward.down, one)
    norm, other_norm = _norm(block.attention_norm), _norm(block.feed_forward_norm)
    heads, kv_heads, qk_norm = attention.heads, attention.kv_heads, attention.qk_norm
    shape = (batch, heads + 2 * kv_heads, 1, attention.size)
    split, append, attend = torch.split_with_sizes, cache.append, attention.attend
    activate = feed_forward.activate

    def step(x: Tensor, rotation: Rotation | None) -> Tensor:
        h = qkv(norm(x)).view(shape)
        if qk_norm is None and rotation is None:
            q, kv = split(h, (heads, 2 * kv_heads), 1)
        else:
            qk, v = split(h, (heads + kv_heads, kv_heads), 1)
            qk = qk if qk_norm is None else normalise(qk_norm, qk)
            qk = qk if rotation is None else rotate(qk, rotation)
            q, k = split(qk, (heads, kv_heads), 1)
            kv = torch.cat([k, v], 1)
        k, v = append(kv)
        x = x + out(attend(q, k, v).reshape(x.shape))
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
    assert isinstance(layer, nn.LayerNorm | nn.RMSNorm)
    size, weight, eps = layer.normalized_shape, layer.weight, layer.eps
    if isinstance(layer, nn.RMSNorm):
        return lambda x: torch.rms_norm(x, size, weight, eps)
    bias = layer.bias
    return lambda x: torch.layer_norm(x, size, weight, bias, eps)
