"""Parts of a layer that computes several things at once, which can be adapted each by itself."""

from torch import nn

from zoo.errors import UserError
from zoo.layers.attention import Attention
from zoo.layers.feed_forward import FeedForward

Rows = list[tuple[int, int]]  # ranges of a layer's outputs: start, stop


def fused_rows(model: nn.Module, name: str, parts: str) -> Rows:
    """Ranges of the outputs of a fused projection: queries, keys and values, or SwiGLU's two.

    Args:
        model: The model.
        name: Of a layer of it.
        parts: Letters: of q, k and v, or of u (value) and g (gate).

    Raises:
        UserError: The layer has no such parts.
    """
    path, _, layer = name.rpartition(".")
    owner = model.get_submodule(path)
    ranges: dict[str, tuple[int, int]] = {}
    if isinstance(owner, Attention) and layer == "qkv":
        q, kv = owner.heads * owner.head_width, owner.kv_heads * owner.head_width
        ranges = {"q": (0, q), "k": (q, q + kv), "v": (q + kv, q + 2 * kv)}
    elif isinstance(owner, FeedForward) and owner.activation == "swiglu" and layer == "up":
        half = owner.up.out_features // 2
        ranges = {"u": (0, half), "g": (half, 2 * half)}
    if not set(parts) <= ranges.keys():
        raise UserError(
            f"adapter.targets: '{name}:{parts}': only qkv has parts: q, k and v; and the up of "
            f"SwiGLU: u and g"
        )
    return [rows for letter, rows in ranges.items() if letter in parts]
