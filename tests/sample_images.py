"""Images for tests: folders of photos, MNIST's files."""

import gzip
import hashlib
import struct
import zlib

import torch
from contexts import build_dataset
from PIL import Image

from zoo.data.datasets import mnist
from zoo.data.download import Remote
from zoo.data.splits import Split

COLOURS = {"cat": (200, 0, 0), "dog": (0, 200, 0), "owl": (0, 0, 200)}


def photos(root, number=10, classes=COLOURS, size=(40, 30)):
    for name in classes:
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(number):
            colour = tuple(c + i for c in COLOURS[name])
            Image.new("RGB", size, colour).save(folder / f"{i}.png")
    return str(root)


def build(
    path, split, workers=0, encoding=None, augment=None, label_noise=0.0, test_shift=0, **options
):
    options = {"name": "image_folder", "path": path, "size": 8, **options}
    facts = {"split": split, "workers": workers, "encoding": encoding, "augment": augment}
    facts |= {"label_noise": label_noise, "test_shift": test_shift}
    return build_dataset(options, **facts)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    """A PNG whose header promises many pixels, in a few bytes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100)))


def png16(values):
    """A PNG of 16-bit colours, uint16 (H, W, 3 or 4), which Pillow cannot write."""
    height, width, bands = values.shape
    kind = {3: 2, 4: 6}[bands]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def pixels(*shape, seed=0, high=256):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, high, shape, generator=generator).byte()


def fake_mnist(idx, folder, plain=False):
    """Four small files in MNIST's form, and what describes them."""
    tensors = [pixels(60, 28, 28), pixels(60, high=10), pixels(20, 28, 28), pixels(20, high=10)]
    names = [file.name for file in mnist.FILES]
    remotes = []
    for tensor, name in zip(tensors, names, strict=True):
        raw = idx(tensor)
        remotes.append(Remote(name, (), len(raw), content_sha256=sha(raw)))
        path = folder / (name.removesuffix(".gz") if plain else name)
        path.write_bytes(raw if plain else gzip.compress(raw))
    return tuple(remotes), tensors


def digits(root, **facts):
    return build_dataset({"name": "digits", "root": str(root)}, split=Split(), **facts)
