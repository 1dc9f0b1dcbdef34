"""Layers with low-rank updates of their weights, as LoRA and DoRA train them.

LoRA (Hu et al., 2021, https://arxiv.org/abs/2106.09685): W x + s B A x, with W frozen and B
initialised with zeros. DoRA (Liu et al., 2024, https://arxiv.org/abs/2402.09353): W + s B A gives
only a direction, and its length is trained by itself, a number m for each output:
m (W + s B A) / ||W + s B A||. m starts as ||W||; the norm counts as a constant in the backward pass
(section 4.3), which saves memory and costs no accuracy.
Differs from the papers: embeddings and convolutions can be adapted too. The authors' DoRA drops
inputs of W too where there is dropout, which takes a second product with W; here only those of A.
Shapes: N rows, I inputs, O outputs, R rank, V rows of an embedding, D width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.adapters.parts import Rows
from zoo.adapters.quantised import QuantisedLinear
from zoo.kernels import linear, no_autocast
from zoo.layers.dropout import Dropout


class LowRank:
    """Mixin of adapted layers, each a subclass of the kind of layer that it adapts.

    Attributes:
        lora_a, lora_b: A and B.
        lora_magnitude: m of DoRA, (O,) or of an embedding (D,); None for LoRA.
        scale: s, the factor of B A.
        adapter_on: Whether the weight is updated; off, the layer is the one that was adapted.
        plain: The layer that was adapted.
        summed: Dimensions of the weight over which DoRA takes norms.
    """

    weight: Tensor
    lora_a: nn.Parameter
    lora_b: nn.Parameter
    lora_magnitude: nn.Parameter | None
    adapter_on = True
    summed: tuple[int, ...]

    def start(
        self, a: tuple[int, ...], b: tuple[int, ...], scale: float, dropout: float, dora: bool
    ) -> None:
        """Initialise A and B, of these shapes, and m."""
        dtype, device = self.format()
        if dtype == torch.bfloat16:
            dtype = torch.float32  # most steps of training are too small for 16 bits
        self.lora_a = nn.Parameter(torch.empty(a, dtype=dtype, device=device))
        self.lora_b = nn.Parameter(torch.zeros(b, dtype=dtype, device=device))
        nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))
        self.scale, self.drop = scale, Dropout(dropout)
        self.plain: list[nn.Module] = []  # a list, so that nn.Module does not register a submodule
        self.lora_magnitude = None
        if dora:
            self.lora_magnitude = nn.Parameter(self.norms())

    def format(self) -> tuple[torch.dtype, torch.device]:
        """Type and device of the weight."""
        return self.weight.dtype, self.weight.device

    def delta(self) -> Tensor:
        """s B A, in the shape of the weight."""
        raise NotImplementedError

    def factors(self) -> tuple[Tensor, Tensor]:
        """A and B of the whole layer."""
        return self.lora_a.detach(), self.lora_b.detach()

    @torch.no_grad()
    def norms(self) -> Tensor:
        """||W + s B A|| for each m, which gets no gradient."""
        with no_autocast(self.lora_a):
            weight = self.weight.to(self.lora_a.dtype) + self.delta()
            return torch.linalg.vector_norm(weight, dim=self.summed)

    def gain(self) -> Tensor:
        """m / ||W + s B A||."""
        assert self.lora_magnitude is not None
        norms = self.norms()
        return self.lora_magnitude / norms.clamp_min(torch.finfo(norms.dtype).tiny)

    @torch.no_grad()
    def updated(self) -> Tensor:
        """The weight with its update: the plain layer with it computes the same."""
        return self.updated_exactly().to(self.weight.dtype)

    @torch.no_grad()
    def updated_exactly(self) -> Tensor:
        """The same in the precision of the update: many are too small for 16 bits."""
        delta = self.delta()
        weight = self.weight.to(delta.dtype) + delta
        if self.lora_magnitude is None:
            return weight
        gain = self.gain()
        for dim in self.summed:
            gain = gain.unsqueeze(dim)
        return gain * weight


class LoRALinear(LowRank, nn.Linear):
    """A linear layer with A and B; a pair of them for each range of `rows`."""

    summed = (1,)

    def __init__(
        self,
        layer: nn.Linear,
        rank: int,
        scale: float,
        dropout: float,
        dora: bool = False,
        rows: Rows | None = None,
    ) -> None:
        with torch.device("meta"):
            nn.Linear.__init__(self, layer.in_features, layer.out_features, layer.bias is not None)
        self.weight, self.bias = layer.weight, layer.bias
        self.begin(rank, scale, dropout, dora, rows)

    def begin(self, rank: int, scale: float, dropout: float, dora: bool, rows: Rows | None) -> None:
        """Initialise the update of these rows, None for all."""
        self.rank, self.rows = rank, rows or [(0, self.out_features)]
        shapes = (rank * len(self.rows), self.in_features), (sum(self._heights()), rank)
        self.start(*shapes, scale, dropout, dora)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        flat = x.reshape(-1, self.in_features)  # (N, I)
        if not self.adapter_on:
            y = self.frozen(flat, self.bias)
        elif self.lora_magnitude is None:
            y = self._add_update(self.frozen(flat, self.bias), flat)
        else:
            y = self._add_update(self.frozen(flat, None), flat)
            y = y * self.gain().to(y.dtype)
            y = y if self.bias is None else y + self.bias.to(y.dtype)
        return y.view(*x.shape[:-1], self.out_features)

    def frozen(self, flat: Tensor, bias: Tensor | None) -> Tensor:
        """The layer without its update: (N, I) to (N, O)."""
        return linear(flat, self.weight, bias)

    def _add_update(self, y: Tensor, flat: Tensor) -> Tensor:
        """Add s B A x to y, (N, O)."""
        h = self.drop(flat) if self.training else flat
        h = F.linear(h, self.lora_a.to(h.dtype))
        b = self.lora_b.to(y.dtype)
        if self.rows == [(0, self.out_features)]:
            y.addmm_(h, b.mT, alpha=self.scale)
        else:
            ranges = zip(self.rows, h.split(self.rank, dim=1), b.split(self._heights()))
            for (start, stop), h_k, b_k in ranges:  # (N, R), (stop - start, R)
                y[:, start:stop].addmm_(h_k, b_k.mT, alpha=self.scale)
        return y

    def _heights(self) -> list[int]:
        return [stop - start for start, stop in self.rows]

    def delta(self) -> Tensor:
        """(O, I)."""
        delta = self.lora_a.new_zeros(self.out_features, self.in_features)
        ranges = zip(self.rows, self.lora_a.split(self.rank), self.lora_b.split(self._heights()))
        for (start, stop), a, b in ranges:
            delta[start:stop] = self.scale * (b @ a)
        return delta

    def factors(self) -> tuple[Tensor, Tensor]:
        """(K R, I) and (O, K R), for K ranges of rows."""
        a, b = super().factors()
        if self.rows == [(0, self.out_features)]:
            return a, b
        whole = b.new_zeros(self.out_features, len(a))
        for k, ((start, stop), part) in enumerate(zip(self.rows, b.split(self._heights()))):
            whole[start:stop, k * self.rank : (k + 1) * self.rank] = part
        return a, whole

    @torch.no_grad()
    def norms(self) -> Tensor:
        """Of the adapted rows."""
        weight, norms = self.weight, []
        ranges = zip(self.rows, self.lora_a.split(self.rank), self.lora_b.split(self._heights()))
        with no_autocast(self.lora_a):
            for (start, stop), a, b in ranges:
                updated = torch.addmm(weight[start:stop].to(a.dtype), b, a, alpha=self.scale)
                norms.append(torch.linalg.vector_norm(updated, dim=1))
        return torch.cat(norms)

    def gain(self) -> Tensor:
        """(O,), 1 where no row is adapted."""
        gain = super().gain()
        return gain.new_ones(self.out_features).index_copy(0, self.adapted_rows(), gain)

    def adapted_rows(self) -> Tensor:
        """Their numbers, int64."""
        device = self.lora_a.device
        return torch.cat([torch.arange(start, stop, device=device) for start, stop in self.rows])


class LoRAQuantised(LoRALinear):
    """The same on a layer that holds its weight in few bits."""

    def __init__(
        self,
        layer: QuantisedLinear,
        rank: int,
        scale: float,
        dropout: float,
        dora: bool = False,
        rows: Rows | None = None,
    ) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.base, self.bias = layer, layer.bias
        self.begin(rank, scale, dropout, dora, rows)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """Unpacked, (O, I)."""
        return self.base.weight

    def format(self) -> tuple[torch.dtype, torch.device]:
        """Those of the weight, without unpacking it."""
        return self.base.dtype, next(self.base.buffers()).device

    def frozen(self, flat: Tensor, bias: Tensor | None) -> Tensor:
        """(N, I) to (N, O)."""
        y = self.base.product(flat)
        return y if bias is None else y + bias.to(y.dtype)


class LoRAConv2d(LowRank, nn.Conv2d):
    """A convolution with A, a convolution to R channels, and B, one of 1x1."""

    summed = (1, 2, 3)

    def __init__(
        self, layer: nn.Conv2d, rank: int, scale: float, dropout: float, dora: bool = False
    ) -> None:
        shape = layer.in_channels, layer.out_channels, layer.kernel_size
        options = layer.stride, layer.padding, layer.dilation, layer.groups
        with torch.device("meta"):  # the stubs want pairs where layers have tuples
            nn.Conv2d.__init__(self, *shape, *options, bias=layer.bias is not None)  # type: ignore[arg-type]
        self.weight, self.bias = layer.weight, layer.bias
        a = (rank, layer.in_channels, *layer.kernel_size)
        self.start(a, (layer.out_channels, rank, 1, 1), scale, dropout, dora)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, O, H', W')."""
        if not self.adapter_on:
            return super().forward(x)
        if self.lora_magnitude is None:
            return super().forward(x) + self._update(x)
        y = self._conv_forward(x, self.weight, None) + self._update(x)
        y = y * self.gain().to(y.dtype)[:, None, None]
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]

    def _update(self, x: Tensor) -> Tensor:
        """s B A x."""
        x = self.drop(x) if self.training else x
        a, b = self.lora_a.to(x.dtype), self.lora_b.to(x.dtype)
        h = F.conv2d(x, a, None, self.stride, self.padding, self.dilation)
        return self.scale * F.conv2d(h, b)

    def delta(self) -> Tensor:
        """(O, I, kernel height, kernel width)."""
        return self.scale * torch.einsum("or,rihw->oihw", self.lora_b[:, :, 0, 0], self.lora_a)


class LoRAEmbedding(LowRank, nn.Embedding):
    """An embedding with A, (R, V), and B, (D, R)."""

    summed = (0,)

    def __init__(
        self, layer: nn.Embedding, rank: int, scale: float, dropout: float, dora: bool = False
    ) -> None:
        with torch.device("meta"):
            nn.Embedding.__init__(self, layer.num_embeddings, layer.embedding_dim)
        self.padding_idx, self.weight = layer.padding_idx, layer.weight
        self.start((rank, layer.num_embeddings), (layer.embedding_dim, rank), scale, dropout, dora)

    def forward(self, ids: Tensor) -> Tensor:
        """Int64 (...) to (..., D)."""
        y = super().forward(ids)
        if not self.adapter_on:
            return y
        update = F.linear(F.embedding(ids, self.lora_a.mT), self.lora_b)
        y = y + self.scale * update.to(y.dtype)
        return y if self.lora_magnitude is None else y * self.gain().to(y.dtype)

    def delta(self) -> Tensor:
        """(V, D)."""
        return self.scale * (self.lora_b @ self.lora_a).mT
