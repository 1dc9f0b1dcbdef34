"""The IDX format of MNIST, and the datasets published in it."""

import math
import struct

import torch
from torch import Tensor

from zoo.data.download import Remote, fetch
from zoo.errors import UserError

Files = tuple[Remote, Remote, Remote, Remote]  # training images and labels, then those of the test


def parse_idx(content: bytes, name: str) -> Tensor:
    """Unsigned bytes in IDX form (http://yann.lecun.com/exdb/mnist/) as a uint8 tensor.

    Raises:
        UserError: The header is not IDX of bytes, or states another length.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise UserError(f"{name}: not an IDX file of bytes (it begins {content[:4].hex()})")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise UserError(f"{name}: truncated in its header")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if len(content) - header != math.prod(shape):
        expected = "x".join(map(str, shape))
        raise UserError(
            f"{name}: {len(content) - header:,} bytes after the header, expected {expected}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)[header:].view(shape)


def load_idx(files: Files, root: str, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and the official test split of a dataset in MNIST's format.

    Returns:
        Uint8 (N, 1, H, W), int64 (N,), and the indices of the test images, int64.
    """
    arrays = [parse_idx(fetch(file, root, name), file.name) for file in files]
    train_images, train_labels, test_images, test_labels = arrays
    images = torch.cat([train_images, test_images])[:, None]
    labels = torch.cat([train_labels, test_labels]).long()
    if len(images) != len(labels):
        raise UserError(f"{name}: {len(images)} images but {len(labels)} labels")
    return images, labels, torch.arange(len(train_images), len(images))
