"""Small files for the data tests."""

import gzip
import struct
import sys
from types import SimpleNamespace

import pytest

from zoo.data.splits import Split


@pytest.fixture
def split():
    return Split(val_fraction=0.2, test_fraction=0.2)


@pytest.fixture
def write(tmp_path):
    """Write a text (or bytes) into a file of the test's own folder; returns its path as a text."""

    def put(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return put


@pytest.fixture
def idx():
    """The IDX bytes of a uint8 tensor, gzipped or not."""

    def pack(tensor, packed=False):
        head = struct.pack(f">BBBB{tensor.dim()}I", 0, 0, 8, tensor.dim(), *tensor.shape)
        raw = head + tensor.numpy().tobytes()
        return gzip.compress(raw) if packed else raw

    return pack


@pytest.fixture
def library(monkeypatch):
    """A `datasets` whose hub has what the test puts there: {(name, subset): splits or error}."""
    hub = {}

    def load_dataset(name, subset=None, **options):
        found = hub.get((name, subset), FileNotFoundError(f"Couldn't find {name}"))
        if isinstance(found, Exception):
            raise found
        return found

    fake = SimpleNamespace(load_dataset=load_dataset, disable_progress_bars=lambda: None)
    fake.config = SimpleNamespace(HF_HUB_OFFLINE=False)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return hub
