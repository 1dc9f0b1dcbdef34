"""Parts of fused layers, by their rows."""

import pytest

from zoo.adapters.parts import fused_rows
from zoo.errors import UserError
from zoo.models.llama import Llama

MODEL = Llama(9, 8, width=16, depth=1, heads=4, kv_heads=2, inner=24)


@pytest.mark.parametrize(
    ("name", "parts", "rows"),
    [
        ("attention.qkv", "vq", [(0, 16), (24, 32)]),
        ("attention.qkv", "k", [(16, 24)]),
        ("feed_forward.up", "ug", [(0, 24), (24, 48)]),
        ("feed_forward.up", "g", [(24, 48)]),
    ],
)
def test_rows_of_parts(name, parts, rows):
    assert fused_rows(MODEL, f"blocks.0.{name}", parts) == rows


@pytest.mark.parametrize(
    ("name", "parts"),
    [("attention.out", "q"), ("feed_forward.up", "q"), ("feed_forward.down", "u")],
)
def test_layers_without_such_parts(name, parts):
    with pytest.raises(UserError, match=f"{name}:{parts}.: only qkv has parts"):
        fused_rows(MODEL, f"blocks.0.{name}", parts)
