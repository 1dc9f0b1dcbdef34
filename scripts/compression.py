"""Bits per byte of `xz -9e` on held-out text, given the training text of the same split.

    python scripts/compression.py [data=stdlib] [data.key=value ...]

The documents are those that training with the same data settings would hold out (any running text:
stdlib, pydoc, shakespeare, text8, text). A language model that takes more bits than a program for
packing files, which has seen the same text, has learnt little.
"""

import lzma
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.arguments import options  # noqa: E402
from zoo.config import compose  # noqa: E402
from zoo.config import groups as configs  # noqa: E402
from zoo.errors import UserError, report  # noqa: E402


def texts(data: dict[str, Any]) -> dict[str, bytes]:
    """The splits of a running text, in UTF-8, document after document."""
    from zoo.build import build_dataset

    if "mask_token" not in data:
        raise UserError(f"data={data['name']}: expected running text, e.g. data=stdlib")
    dataset = build_dataset(data | {"tokenizer": "byte", "mask_token": False, "block_size": 1})
    first = len(dataset.encoding.tokenizer.specials)
    found = {}
    for split, source in dataset.splits.items():
        ids = source.tokens[:]
        found[split] = (ids[ids >= first] - first).astype("uint8").tobytes()
    return found


def packed(text: bytes) -> int:
    """Bytes that `xz -9e` makes of a text."""
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def main(argv: list[str] | None = None) -> int:
    """Pack and print a table."""
    _, overrides = options(argv, __doc__ or "")
    if not any(configs.key_of(override) in ("data", "experiment") for override in overrides):
        overrides = ["data=stdlib", *overrides]
    data = compose.load(overrides)["data"]
    split = texts(data)
    alone = packed(split["train"])
    train = len(split["train"])
    print(f"{data['name']}, split_seed={data['split_seed']}, {train:,} bytes to train on")
    print(f"{'split':6s} {'bytes':>12s} {'bits per byte':>14s}")
    for name in ("val", "test"):
        more = packed(split["train"] + split[name]) - alone
        print(f"{name:6s} {len(split[name]):12,} {8 * more / len(split[name]):14.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(report(main))
