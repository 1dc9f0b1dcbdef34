"""Tensors of safetensors files, read from the disk when they are needed, so that memory never holds
a whole file beside the model.

A file is mapped into memory: its pages are read when a tensor is, and given back by `drop_pages`.
"""

import contextlib
import ctypes
import json
import mmap
import weakref
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_MAPS: "weakref.WeakSet[mmap.mmap]" = weakref.WeakSet()  # of tensors that are in use


def map_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, by name. Do not write to them: `drop_pages` would undo it.

    Raises:
        SafetensorError: The file is damaged.
        OSError: It cannot be read.
    """
    with safe_open(path, "pt"):  # checks the header: offsets, sizes, names
        pass
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(size))
        entries.pop("__metadata__", None)
        if any(entry["dtype"] not in DTYPES for entry in entries.values()):
            return safetensors.torch.load_file(path)
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    _MAPS.add(content)
    tensors = {}
    for name, entry in entries.items():
        dtype, start = DTYPES[entry["dtype"]], 8 + size + entry["data_offsets"][0]
        count = torch.Size(entry["shape"]).numel()
        flat = torch.empty(0, dtype=dtype)
        if count:
            flat = torch.frombuffer(content, dtype=dtype, count=count, offset=start)
        tensors[name] = flat.view(entry["shape"])
    return tensors


def return_freed_at_once() -> None:
    """Have glibc give freed tensors of 1 MB and more back at once, where memory counts more than
    time: small tensors that lie between them would keep it from using their memory again."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  # the number below is glibc's
        libc.mallopt(-3, 2**20)  # M_MMAP_THRESHOLD of malloc.h


def release_freed() -> None:
    """Give the memory of freed tensors back to the system: glibc keeps it where others lie between
    them. Other C libraries are left as they are."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def drop_pages() -> None:
    """Give back the memory that mapped tensors take; they are read from the disk again."""
    for content in list(_MAPS):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # not on every system
            content.madvise(mmap.MADV_DONTNEED)
