"""LoRA: low-rank adaptation, the update of a weight matrix as a product of two low-rank matrices.

Hu et al., 2021, https://arxiv.org/abs/2106.09685: W x + (alpha / R) B A x, with W frozen and B
initialised with zeros, so that the output is unchanged at first. Optional: the scale of
rank-stabilised LoRA, alpha / sqrt(R) (Kalajdzievski, 2023, arXiv:2312.03732).
Differs from the paper: embeddings and convolutions can be adapted too, and a fused projection to
queries, keys and values can be adapted as a whole or by its parts (`qkv:qv`).
Shapes: N rows, I inputs, O outputs, R rank, V rows of an embedding, D width.
"""

import fnmatch
import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.adapters.freeze import freeze, replace
from zoo.adapters.parts import Rows, fused_rows
from zoo.bounds import AboveZero, Fraction, Positive
from zoo.errors import UserError
from zoo.kernels import linear
from zoo.layers.dropout import Dropout
from zoo.layers.linear import Linear
from zoo.naming import in_head
from zoo.registry import ADAPTERS


class LoRA:
    """Mixin of adapted layers, each a subclass of the kind of layer that it adapts.

    Attributes:
        lora_a, lora_b: A and B.
        scale: Factor of B A.
        adapter_on: Whether B A is added; off, the layer is the one that was adapted.
        original: The weight before `merge`; empty while not merged.
        plain: The layer that was adapted.
    """

    weight: Tensor
    lora_a: nn.Parameter
    lora_b: nn.Parameter
    adapter_on = True

    def start(self, a: tuple[int, ...], b: tuple[int, ...], scale: float, dropout: float) -> None:
        """Initialise A and B, of these shapes."""
        dtype, device = self.weight.dtype, self.weight.device
        if dtype == torch.bfloat16:
            dtype = torch.float32  # most steps of training are too small for 16 bits
        self.lora_a = nn.Parameter(torch.empty(a, dtype=dtype, device=device))
        self.lora_b = nn.Parameter(torch.zeros(b, dtype=dtype, device=device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale, self.drop = scale, Dropout(dropout)
        # In lists, so that nn.Module does not register them as a parameter and a submodule.
        self.original: list[Tensor] = []
        self.plain: list[nn.Module] = []

    def delta(self) -> Tensor:
        """The update of the weight, in its shape."""
        raise NotImplementedError

    @torch.no_grad()
    def merge(self) -> None:
        """Add the update to the weight, so that the layer costs no more than the plain one."""
        if not self.original:
            self.original = [self.weight]
            self.weight = nn.Parameter(self.weight + self.delta(), requires_grad=False)

    def unmerge(self) -> None:
        """Restore the original weight, to the bit."""
        if self.original:
            self.weight = self.original.pop()


class LoRALinear(LoRA, nn.Linear):
    """A linear layer with A and B; a pair of them for each range of `rows`."""

    def __init__(
        self, layer: nn.Linear, rank: int, scale: float, dropout: float, rows: Rows | None = None
    ) -> None:
        with torch.device("meta"):
            nn.Linear.__init__(self, layer.in_features, layer.out_features, layer.bias is not None)
        self.weight, self.bias = layer.weight, layer.bias
        self.rank, self.rows = rank, rows or [(0, layer.out_features)]
        adapted = sum(stop - start for start, stop in self.rows)
        shapes = (rank * len(self.rows), layer.in_features), (adapted, rank)
        self.start(*shapes, scale, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        flat = x.reshape(-1, self.in_features)  # (N, I)
        y = linear(flat, self.weight, self.bias)
        if self.adapter_on and not self.original:
            h = self.drop(flat) if self.training else flat
            h = F.linear(h, self.lora_a.to(h.dtype))
            b = self.lora_b.to(y.dtype)
            if self.rows == [(0, self.out_features)]:
                y.addmm_(h, b.mT, alpha=self.scale)
            else:
                ranges = zip(self.rows, h.split(self.rank, dim=1), b.split(self._heights()))
                for (start, stop), h_k, b_k in ranges:  # (N, R), (stop - start, R)
                    y[:, start:stop].addmm_(h_k, b_k.mT, alpha=self.scale)
        return y.view(*x.shape[:-1], self.out_features)

    def _heights(self) -> list[int]:
        return [stop - start for start, stop in self.rows]

    def delta(self) -> Tensor:
        """(O, I)."""
        delta = torch.zeros_like(self.weight)
        ranges = zip(self.rows, self.lora_a.split(self.rank), self.lora_b.split(self._heights()))
        for (start, stop), a, b in ranges:
            delta[start:stop] = self.scale * (b @ a)
        return delta


class LoRAConv2d(LoRA, nn.Conv2d):
    """A convolution with A, a convolution to R channels, and B, one of 1x1."""

    def __init__(self, layer: nn.Conv2d, rank: int, scale: float, dropout: float) -> None:
        shape = layer.in_channels, layer.out_channels, layer.kernel_size
        options = layer.stride, layer.padding, layer.dilation, layer.groups
        with torch.device("meta"):  # the stubs want pairs where layers have tuples
            nn.Conv2d.__init__(self, *shape, *options, bias=layer.bias is not None)  # type: ignore[arg-type]
        self.weight, self.bias = layer.weight, layer.bias
        a = (rank, layer.in_channels, *layer.kernel_size)
        self.start(a, (layer.out_channels, rank, 1, 1), scale, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, O, H', W')."""
        y = super().forward(x)
        if self.original or not self.adapter_on:
            return y
        x = self.drop(x) if self.training else x
        a, b = self.lora_a.to(x.dtype), self.lora_b.to(x.dtype)
        h = F.conv2d(x, a, None, self.stride, self.padding, self.dilation)
        return y + self.scale * F.conv2d(h, b)

    def delta(self) -> Tensor:
        """(O, I, kernel height, kernel width)."""
        return self.scale * torch.einsum("or,rihw->oihw", self.lora_b[:, :, 0, 0], self.lora_a)


class LoRAEmbedding(LoRA, nn.Embedding):
    """An embedding with A, (R, V), and B, (D, R)."""

    def __init__(self, layer: nn.Embedding, rank: int, scale: float, dropout: float) -> None:
        with torch.device("meta"):
            nn.Embedding.__init__(self, layer.num_embeddings, layer.embedding_dim)
        self.padding_idx, self.weight = layer.padding_idx, layer.weight
        self.start((rank, layer.num_embeddings), (layer.embedding_dim, rank), scale, dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """Int64 (...) to (..., D)."""
        y = super().forward(ids)
        if self.original or not self.adapter_on:
            return y
        update = F.linear(F.embedding(ids, self.lora_a.mT), self.lora_b)
        return y + self.scale * update.to(y.dtype)

    def delta(self) -> Tensor:
        """(V, D)."""
        return self.scale * (self.lora_b @ self.lora_a).mT


# Pairs of a kind of layer and its adapted class.
KINDS: list[tuple[type[nn.Module], Any]] = [
    (Linear, LoRALinear),
    (nn.Linear, LoRALinear),
    (nn.Conv2d, LoRAConv2d),
    (nn.Embedding, LoRAEmbedding),
]


@ADAPTERS.register("lora")
def lora(
    model: nn.Module,
    fresh: Iterable[str] = (),
    rank: Positive = 8,
    alpha: AboveZero = 16.0,
    dropout: Fraction = 0.0,
    targets: list[str] | None = None,
    rslora: bool = False,
) -> nn.Module:
    """Freeze a model and add low-rank matrices to some of its layers.

    Args:
        model: Changed in place.
        fresh: Parameters without pretrained values (a new head): they are trained.
        rank: R.
        alpha: The update is scaled by alpha / R.
        dropout: Dropout probability, on the input of A.
        targets: Layers, by the end of their names, in which `*` matches anything: `qkv`,
            `blocks.0.*`. Parts of a fused projection follow a colon: `qkv:qv` for queries and
            values, `up:ug` for SwiGLU's value and gate. Null: every linear layer and convolution
            except the output layer.
        rslora: Whether to scale by alpha / sqrt(R) instead.

    Raises:
        UserError: A value out of its range, or a target that matches nothing.
    """
    if rank < 1 or not 0 <= dropout < 1:
        raise UserError(
            f"adapter=lora: expected rank above 0 and dropout from 0 up to 1, got {rank}, {dropout}"
        )
    scale = alpha / (math.sqrt(rank) if rslora else rank)
    layers = adaptable_layers(model)
    chosen = choose_layers(layers, targets)
    freeze(model, fresh)
    for name, parts in chosen.items():
        options: dict[str, Any] = {"rows": fused_rows(model, name, parts)} if parts else {}
        adapted_class = next(cls for kind, cls in KINDS if isinstance(layers[name], kind))
        adapted = adapted_class(layers[name], rank, scale, dropout, **options)
        adapted.plain.append(layers[name])
        replace(model, name, adapted)
    return model


def adaptable_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers that can be adapted, by name."""
    kinds = [kind for kind, _ in KINDS]
    return {
        name: module
        for name, module in model.named_modules()
        if type(module) in kinds and not (isinstance(module, nn.Conv2d) and module.groups > 1)
    }


def choose_layers(layers: dict[str, nn.Module], targets: list[str] | None) -> dict[str, str]:
    """Find the layers that the targets match, and the parts of each to adapt ("" for all).

    Raises:
        UserError: A target that matches nothing; lists what could match.
    """
    if targets is None:
        names = [name for name in layers if not in_head(name)]
        if not names:
            raise UserError("adapter=lora: there is no layer but the head; use adapter=none")
        names = [name for name in names if not isinstance(layers[name], nn.Embedding)]
        if names:
            return dict.fromkeys(names, "")
        raise UserError(f"adapter=lora: {_list_names(layers)}; set adapter.targets")
    chosen: dict[str, str] = {}
    for target in targets:
        pattern, _, parts = target.partition(":")
        names = [name for name in layers if fnmatch.fnmatchcase(f".{name}", f"*.{pattern}")]
        if not names:
            raise UserError(f"adapter.targets: '{target}' matches no layer; {_list_names(layers)}")
        chosen |= dict.fromkeys(names, parts)
    return chosen


def _list_names(layers: Iterable[str]) -> str:
    """The names that targets may match, without block numbers."""
    names = [".".join(p for p in name.split(".") if not p.isdecimal()) for name in layers]
    return f"those that could be adapted: {', '.join(dict.fromkeys(names)) or 'none'}"


def lora_layers(model: nn.Module) -> dict[str, LoRA]:
    """The adapted layers, by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, LoRA)}


def detach(model: nn.Module) -> None:
    """Remove the adapter: the original layers are back in place."""
    for name, layer in lora_layers(model).items():
        layer.unmerge()
        replace(model, name, layer.plain[0])


def merge(model: nn.Module) -> None:
    """Add the updates of all adapted layers to their weights."""
    for layer in lora_layers(model).values():
        layer.merge()


def fold(model: nn.Module) -> None:
    """Merge for good: the adapted layers become plain layers again."""
    for name, layer in lora_layers(model).items():
        layer.merge()
        plain = layer.plain[0]
        plain.weight = layer.weight
        replace(model, name, plain)


def unmerge(model: nn.Module) -> None:
    """Restore the original weights of all adapted layers."""
    for layer in lora_layers(model).values():
        layer.unmerge()
