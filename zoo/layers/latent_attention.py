"""Multi-head latent attention: one short vector per token gives the keys and values of all heads.

DeepSeek-AI, 2024, https://arxiv.org/abs/2405.04434, section 2.1 (DeepSeek-V2).
In training the latent vector is expanded to keys and values. A token that is generated attends to
the latent vectors themselves: the matrices that expand them are absorbed into its queries and into
the outputs of its heads, so that the cache holds C + R numbers per token, for any number of heads.
Shapes: B batch, T query positions, S key positions, D width, H heads, C latent width, N and R width
of a head without and with rotary positions, V width of its values.
"""

import torch
from torch import Tensor, nn

from zoo.kernels import attention, attention_weights
from zoo.kernels.hooks import has_hooks
from zoo.layers.cache import KVCache
from zoo.layers.linear import Linear
from zoo.layers.positions import Rotation, rotate
from zoo.layers.recording import RecordsAttention

EPS = 1e-6  # of the norms of latent vectors


class LatentCache(KVCache):
    """Latent vectors and rotated keys of up to `capacity` tokens, (B, 1, room, C + R).

    They are the keys of one head, and the latent vectors alone are its values.

    Args:
        capacity: Tokens that fit in.
        latent: C.
    """

    def __init__(self, capacity: int, latent: int) -> None:
        super().__init__(capacity)
        self.latent = latent

    def read(self, tokens: int = 1) -> tuple[Tensor, Tensor]:
        """Keys (B, S, 1, C + R) and values (B, S, 1, C)."""
        assert self._kv is not None
        keys = self._kv.narrow(2, 0, self.length).transpose(1, 2)
        return keys, keys[..., : self.latent]


class LatentAttention(RecordsAttention):
    """Causal attention of a sequence to itself.

    Args:
        width: D.
        heads: H.
        latent: C.
        q_latent: Width of the latent vector of queries; None to project x to queries directly.
        head_width: N.
        rotary_width: R, even; its neighbouring numbers are the pairs that rotate.
        value_width: V.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        latent: int,
        q_latent: int | None = None,
        head_width: int = 128,
        rotary_width: int = 64,
        value_width: int = 128,
    ) -> None:
        super().__init__()
        self.heads, self.latent, self.value_width = heads, latent, value_width
        self.head_width, self.rotary_width = head_width, rotary_width
        q_width = heads * (head_width + rotary_width)
        self.q_latent = q_latent
        if q_latent:
            self.q_down = Linear(width, q_latent, bias=False)
            self.q_norm = nn.RMSNorm(q_latent, EPS)
        self.q_up = Linear(q_latent or width, q_width, bias=False)
        self.kv_down = Linear(width, latent + rotary_width, bias=False)
        self.kv_norm = nn.RMSNorm(latent, EPS)
        self.kv_up = Linear(latent, heads * (head_width + value_width), bias=False)
        self.out = Linear(heads * value_width, width, bias=False)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        rotation: Rotation | None = None,
        cache: LatentCache | None = None,
    ) -> Tensor:
        """(B, T, D) to (B, T, D).

        Args:
            x: (B, T, D).
            mask: As in `Attention`.
            rotation: Rotary positions of the T tokens of x.
            cache: Of the tokens before x; those of x are appended.
        """
        assert rotation is not None
        q = self.q_up(self.q_norm(self.q_down(x)) if self.q_latent else x)
        q, q_rotary = q.unflatten(2, (self.heads, -1)).split(self._q_widths, 3)
        q_rotary = rotate_neighbours(q_rotary, rotation)  # (B, T, H, R)
        latent, key = self.kv_down(x).split((self.latent, self.rotary_width), 2)
        key = rotate_neighbours(key.unsqueeze(2), rotation)  # (B, T, 1, R)
        keys = torch.cat([self.kv_norm(latent).unsqueeze(2), key], 3)  # (B, T, 1, C + R)
        if cache is not None:
            keys, values = cache.append(keys)
            if x.shape[1] == 1 and mask is None and self._absorbs:
                return self.out(self.absorbed(q, q_rotary, keys, values).flatten(2))
        return self.out(self.expanded(q, q_rotary, keys, mask).flatten(2))

    @property
    def _q_widths(self) -> tuple[int, int]:
        return self.head_width, self.rotary_width

    @property
    def _absorbs(self) -> bool:
        """Whether `kv_up` is a plain linear layer, without adapter and hooks."""
        return type(self.kv_up) is Linear and not has_hooks(self.kv_up) and self.record is None

    def expanded(
        self, q: Tensor, q_rotary: Tensor, keys: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Attention to the keys and values that latent vectors are expanded to: (B, T, H, V).

        Args:
            q, q_rotary: Queries (B, T, H, N) and (B, T, H, R).
            keys: Latent vectors and rotated keys (B, S, 1, C + R).
            mask: As in `Attention`.
        """
        latent, key = keys.split((self.latent, self.rotary_width), 3)
        kv = self.kv_up(latent.squeeze(2)).unflatten(2, (self.heads, -1))
        k, v = kv.split((self.head_width, self.value_width), 3)  # (B, S, H, N), (B, S, H, V)
        k = torch.cat([k, key.expand(-1, -1, self.heads, -1)], 3)
        arguments = [torch.cat([q, q_rotary], 3), k, v], self.heads, self.heads, mask, True
        if self.record is not None:
            self.record.append(attention_weights(*arguments))
        return attention(*arguments)

    def absorbed(self, q: Tensor, q_rotary: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """The same of one token, as attention of H queries to one head: (B, 1, H, V).

        (q_h, W_h c) = (W_h^T q_h, c), c the latent vector and W_h what makes keys of head h of it;
        and the mean of W'_h c is W'_h times the mean of c.
        """
        weights = self.kv_up.weight.view(self.heads, -1, self.latent)
        for_keys, for_values = weights.split((self.head_width, self.value_width), 1)
        q = torch.einsum("bthn,hnc->bthc", q, for_keys)
        q = torch.cat([q, q_rotary], 3).transpose(1, 2)  # (B, H, 1, C + R)
        # The kernel divides by the root of C + R; the widths of a head are meant.
        q = q * (q.shape[-1] / sum(self._q_widths)) ** 0.5
        means = attention([q, keys, values], 1, 1).transpose(1, 2)  # (B, 1, H, C)
        return torch.einsum("bthc,hvc->bthv", means, for_values)


def rotate_neighbours(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair (x_2i, x_2i+1) of (B, T, H, R) by the angle of its position.

    The results are reordered: the first elements of all pairs come first, then the second ones.
    Queries and keys are ordered alike, so that their products stay the same.
    """
    x = x.unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2)
    return rotate(x.transpose(1, 2), rotation).transpose(1, 2)
