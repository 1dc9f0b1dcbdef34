"""LoRA: the change of a trained matrix, learnt as a product of two thin ones.

Hu et al., 2021, https://arxiv.org/abs/2106.09685: W x + (alpha / r) B A x, with W frozen and B zero
at the start, so that the first output is unchanged. On request the scale of rank-stabilised LoRA,
alpha / sqrt(r) (Kalajdzievski, 2023, arXiv:2312.03732).
Differs from the paper: embeddings and convolutions can be adapted too, and a projection that gives
queries, keys and values at once can be adapted as a whole or part by part (`qkv:qv`).
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
from zoo.errors import UserError
from zoo.kernels import linear
from zoo.layers.dropout import Dropout
from zoo.layers.linear import Linear
from zoo.naming import in_head
from zoo.registry import ADAPTERS

Rows = list[tuple[int, int]]  # of the outputs that are adapted: from, to


class LoRA:
    """What adapted layers of all kinds have in common; each is also the layer that it was.

    Attributes:
        lora_a, lora_b: A and B.
        scale: Factor of B A.
        original: The weight before `merge`, in a list that is empty while it is not merged.
        plain: The layer that it was.
    """

    weight: nn.Parameter
    lora_a: nn.Parameter
    lora_b: nn.Parameter

    def start(self, a: tuple[int, ...], b: tuple[int, ...], scale: float, dropout: float) -> None:
        """New matrices of these shapes."""
        like = dict(dtype=self.weight.dtype, device=self.weight.device)
        self.lora_a = nn.Parameter(torch.empty(a, **like))  # type: ignore[arg-type]
        self.lora_b = nn.Parameter(torch.zeros(b, **like))  # type: ignore[arg-type]
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale, self.drop = scale, Dropout(dropout)
        self.original: list[nn.Parameter] = []
        self.plain: list[nn.Module] = []  # in a list, that it may not count as a part

    def delta(self) -> Tensor:
        """What is added to the weight, in its shape."""
        raise NotImplementedError

    @torch.no_grad()
    def merge(self) -> None:
        """Add B A to the weight: nothing is left to compute beside it."""
        if not self.original:
            self.original = [self.weight]
            self.weight = nn.Parameter(self.weight + self.delta(), requires_grad=False)

    def unmerge(self) -> None:
        """The weight as it was, to the bit."""
        if self.original:
            self.weight = self.original.pop()


class LoRALinear(LoRA, nn.Linear):
    """A linear layer with thin matrices beside it; one pair for each part of `rows`."""

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
        if not self.original:
            h = F.linear(self.drop(flat) if self.training else flat, self.lora_a)
            b = self.lora_b.to(y.dtype)
            if self.rows == [(0, self.out_features)]:
                y.addmm_(h, b.mT, alpha=self.scale)
            else:
                for k, ((start, stop), part) in enumerate(zip(self.rows, b.split(self._heights()))):
                    own = h[:, k * self.rank : (k + 1) * self.rank]  # (N, R)
                    y[:, start:stop].addmm_(own, part.mT, alpha=self.scale)
        return y.view(*x.shape[:-1], self.out_features)

    def _heights(self) -> list[int]:
        return [stop - start for start, stop in self.rows]

    def delta(self) -> Tensor:
        """(O, I)."""
        whole = torch.zeros_like(self.weight)
        parts = zip(self.rows, self.lora_a.split(self.rank), self.lora_b.split(self._heights()))
        for (start, stop), a, b in parts:
            whole[start:stop] = self.scale * (b @ a)
        return whole


class LoRAConv2d(LoRA, nn.Conv2d):
    """A convolution beside which one of R channels runs, followed by one of 1x1."""

    def __init__(self, layer: nn.Conv2d, rank: int, scale: float, dropout: float) -> None:
        shape = layer.in_channels, layer.out_channels, layer.kernel_size
        how = layer.stride, layer.padding, layer.dilation, layer.groups
        with torch.device("meta"):
            nn.Conv2d.__init__(self, *shape, *how, bias=layer.bias is not None)  # type: ignore[arg-type]
        self.weight, self.bias = layer.weight, layer.bias
        a = (rank, layer.in_channels, *layer.kernel_size)
        self.start(a, (layer.out_channels, rank, 1, 1), scale, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, O, H', W')."""
        y = super().forward(x)
        if self.original:
            return y
        x = self.drop(x) if self.training else x
        h = F.conv2d(x, self.lora_a, None, self.stride, self.padding, self.dilation)  # type: ignore[arg-type]
        return y + self.scale * F.conv2d(h, self.lora_b)

    def delta(self) -> Tensor:
        """(O, I, height, width of the kernel)."""
        return self.scale * torch.einsum("or,rihw->oihw", self.lora_b[:, :, 0, 0], self.lora_a)


class LoRAEmbedding(LoRA, nn.Embedding):
    """An embedding with thin tables beside it. A is (R, V), B is (D, R)."""

    def __init__(self, layer: nn.Embedding, rank: int, scale: float, dropout: float) -> None:
        with torch.device("meta"):
            nn.Embedding.__init__(self, layer.num_embeddings, layer.embedding_dim)
        self.padding_idx, self.weight = layer.padding_idx, layer.weight
        self.start((rank, layer.num_embeddings), (layer.embedding_dim, rank), scale, dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """Int64 (...) to (..., D)."""
        y = super().forward(ids)
        if self.original:
            return y
        return y + self.scale * F.linear(F.embedding(ids, self.lora_a.mT), self.lora_b)

    def delta(self) -> Tensor:
        """(V, D)."""
        return self.scale * (self.lora_b @ self.lora_a).mT


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
    rank: int = 8,
    alpha: float = 16.0,
    dropout: float = 0.0,
    targets: list[str] | None = None,
    rslora: bool = False,
) -> nn.Module:
    """Freeze a model and put thin matrices beside some of its layers.

    Args:
        model: Changed in place.
        fresh: Parameters that no trained weights were loaded into (a new head): they are trained.
        rank: R.
        alpha: The change counts alpha / R times.
        dropout: On what the thin matrices read.
        targets: Layers, by the end of their name, `*` for any part: `qkv`, `blocks.0.*`; of a
            projection to queries, keys and values the parts behind a colon: `qkv:qv`. Null: every
            linear layer and convolution but the output layer.
        rslora: Whether it counts alpha / sqrt(R) times instead.

    Raises:
        UserError: Numbers out of range, a target that matches nothing.
    """
    if rank < 1 or not 0 <= dropout < 1:
        raise UserError(
            f"adapter=lora: expected rank above 0 and dropout from 0 up to 1, got {rank}, {dropout}"
        )
    scale = alpha / (math.sqrt(rank) if rslora else rank)
    able = dict(adaptable(model))
    chosen = choose(able, targets)
    freeze(model, fresh)
    for name, parts in chosen.items():
        options: dict[str, Any] = {"rows": _rows(model, name, parts)} if parts else {}
        make = next(made for kind, made in KINDS if isinstance(able[name], kind))
        layer = make(able[name], rank, scale, dropout, **options)
        layer.plain.append(able[name])
        replace(model, name, layer)
    return model


def adaptable(model: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """The layers that could be adapted, by name."""
    for name, module in model.named_modules():
        plain = type(module) in [kind for kind, _ in KINDS]
        if plain and getattr(module, "groups", 1) == 1:
            yield name, module


def choose(able: dict[str, nn.Module], targets: list[str] | None) -> dict[str, str]:
    """The layers that the targets match, with the parts wanted of each ("" for all of it).

    Raises:
        UserError: A target that matches nothing; says what could match.
    """
    if targets is None:
        chosen = {n: "" for n, m in able.items() if not isinstance(m, nn.Embedding)}
        chosen = {n: "" for n in chosen if not in_head(n)}
        if not chosen:
            raise UserError(f"adapter=lora: {_could(able)}; set adapter.targets")
        return chosen
    found: dict[str, str] = {}
    for target in targets:
        pattern, _, parts = target.partition(":")
        matched = [name for name in able if fnmatch.fnmatchcase(f".{name}", f"*.{pattern}")]
        if not matched:
            raise UserError(f"adapter.targets: '{target}' matches no layer; {_could(able)}")
        found |= {name: parts for name in matched}
    return found


def _could(able: dict[str, nn.Module]) -> str:
    """Names that targets may match, the numbers of blocks left out."""
    kinds = [".".join(p for p in name.split(".") if not p.isdecimal()) for name in able]
    return f"those that could be adapted: {', '.join(dict.fromkeys(kinds)) or 'none'}"


def _rows(model: nn.Module, name: str, parts: str) -> Rows:
    """Which outputs of a fused projection are queries, keys, values."""
    parent = model.get_submodule(name.rpartition(".")[0])
    if not (name.endswith(".qkv") and set(parts) <= set("qkv")):
        raise UserError(
            f"adapter.targets: '{name}:{parts}': only a layer named qkv has parts, q, k and v"
        )
    own, shared = parent.heads * parent.size, parent.kv_heads * parent.size
    starts = {"q": (0, own), "k": (own, own + shared), "v": (own + shared, own + 2 * shared)}
    return [starts[part] for part in "qkv" if part in parts]


def lora_layers(model: nn.Module) -> dict[str, LoRA]:
    """The adapted layers, by name."""
    return {name: m for name, m in model.named_modules() if isinstance(m, LoRA)}


def detach(model: nn.Module) -> None:
    """Take the thin matrices off again."""
    for name, layer in lora_layers(model).items():
        layer.unmerge()
        replace(model, name, layer.plain[0])


def merge(model: nn.Module) -> None:
    """Fold all adapted layers' changes into their weights."""
    for layer in lora_layers(model).values():
        layer.merge()


def fold(model: nn.Module) -> None:
    """Merge for good: plain layers again, as quick as they were."""
    for name, layer in lora_layers(model).items():
        layer.merge()
        plain = layer.plain[0]
        plain.weight = layer.weight  # type: ignore[assignment]
        replace(model, name, plain)


def unmerge(model: nn.Module) -> None:
    """Take them out again."""
    for layer in lora_layers(model).values():
        layer.unmerge()
