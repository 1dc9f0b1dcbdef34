"""The IDX format of MNIST, and the sets published in it."""

import math
import struct

import torch
from torch import Tensor

from zoo.data.download import Remote, fetch
from zoo.errors import UserError

Files = tuple[Remote, Remote, Remote, Remote]  # images and labels to train on, then to test on


def parse_idx(content: bytes, name: str) -> Tensor:
    """Unsigned bytes in IDX form (http://yann.lecun.com/exdb/mnist/) as a uint8 tensor.

    Raises:
        UserError: The header is not IDX of bytes, or promises another length.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise UserError(f"{name}: not an IDX file of bytes (it begins {content[:4].hex()})")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{name}: cut off inside its header")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != math.prod(shape):
        spelled = "x".join(map(str, shape))
        raise UserError(
            f"{name}: {len(content) - header:,} bytes after the header, expected {spelled}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].view(shape)


def load_idx(files: Files, root: str, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and the official test split of a set of MNIST's form.

    Returns:
        Uint8 (N, 1, H, W), int64 (N,), and the indices of the test images, int64.
    """
    parts = [parse_idx(fetch(file, root, name), file.name) for file in files]
    images = torch.cat([parts[0], parts[2]])[:, None]
    labels = torch.cat([parts[1], parts[3]]).long()
    if len(images) != len(labels):
        raise UserError(f"{name}: {len(images)} images but {len(labels)} labels")
    return images, labels, torch.arange(len(parts[0]), len(images))
