"""Bits per byte of xz on the documents that training would hold out."""

import lzma

import pytest

from benchmarks import compression
from zoo.config import compose
from zoo.data.datasets.stdlib import sources
from zoo.errors import UserError


def xz(text):
    return len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


def test_bits_beyond_the_training_text(tmp_path, capsys):
    text = dict(sources())["ast.py"].encode()
    (tmp_path / "one.txt").write_bytes(text)
    where = [f"data.path={tmp_path / 'one.txt'}", f"data.root={tmp_path}"]
    assert compression.main(["data=text", *where, "data.test_fraction=0.2"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-2:]]
    sizes = {name: int(size.replace(",", "")) for name, size, _ in rows}
    train = len(text) - sizes["val"] - sizes["test"]
    assert sizes["test"] == pytest.approx(0.2 * len(text), rel=0.02)
    parts = {"val": text[train : train + sizes["val"]], "test": text[-sizes["test"] :]}
    for name, _, bits in rows:
        more = xz(text[:train] + parts[name]) - xz(text[:train])
        assert float(bits) == pytest.approx(8 * more / sizes[name], abs=1e-4)
    assert all(0 < float(bits) < 4 for *_, bits in rows)


def test_documents_are_joined_without_marks(tmp_path):
    for i in range(12):
        (tmp_path / f"{i:02d}.txt").write_text(f"text {i}\n" * 9)
    places = [f"data.path={tmp_path}", f"data.root={tmp_path / 'root'}"]
    found = compression.texts(compose.load(["data=text", *places]).data)
    assert sorted(b"".join(found.values()).split(b"\n")) == sorted(
        [b"text %d" % i for i in range(12) for _ in range(9)] + [b""] * 1
    )


def test_other_data_is_refused():
    with pytest.raises(UserError, match="data=digits: expected running text, e.g. data=stdlib"):
        compression.main(["data=digits"])
