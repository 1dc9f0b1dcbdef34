"""Bits per byte of `xz -9e` on held-out text, given the training text of the same split.

    python scripts/compression.py [data=stdlib] [data.key=value ...]

The documents are those that training with the same data settings would hold out (any running text:
stdlib, pydoc, shakespeare, text8, text). A language model that needs more bits than a general
compressor which has seen the same text has learnt little.
"""

import lzma
from typing import Any

from zoo.commands.arguments import options
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError


def texts(data: dict[str, Any]) -> dict[str, bytes]:
    """The splits of a running text, in UTF-8, document after document."""
    from zoo.build import build_dataset

    if "mask_token" not in data:
        raise UserError(f"data={data['name']}: expected running text, e.g. data=stdlib")
    dataset: Any = build_dataset(data | {"tokenizer": "byte", "mask_token": False, "block_size": 1})
    specials = len(dataset.encoding.tokenizer.specials)
    splits = {}
    for split, source in dataset.splits.items():
        ids = source.tokens[:]
        splits[split] = (ids[ids >= specials] - specials).astype("uint8").tobytes()
    return splits


def compressed_size(text: bytes) -> int:
    """Bytes of a text after `xz -9e`."""
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def main(argv: list[str] | None = None) -> int:
    """Compress and print a table."""
    _, overrides = options(argv, __doc__ or "")
    if not any(configs.key_of(override) in ("data", "experiment") for override in overrides):
        overrides = ["data=stdlib", *overrides]
    data = compose.load(overrides).data
    splits = texts(data)
    train = splits["train"]
    train_size = compressed_size(train)
    print(f"{data['name']}, split_seed={data['split_seed']}, {len(train):,} bytes to train on")
    print(f"{'split':6s} {'bytes':>12s} {'bits per byte':>14s}")
    for name in ("val", "test"):
        size = len(splits[name])
        bits = 8 * (compressed_size(train + splits[name]) - train_size)
        print(f"{name:6s} {size:12,} {bits / size:14.4f}")
    return 0
