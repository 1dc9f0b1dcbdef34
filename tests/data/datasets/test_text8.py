"""text8: its customary split, from a zip file or its content."""

import io
import zipfile

import pytest
from sample_characters import build, contents, sha

from zoo.data.datasets import text8
from zoo.data.download import Remote

LETTERS = "anarchism originated as a term of abuse " * 50


@pytest.mark.parametrize("packed", [True, False])
def test_text8_is_cut_by_place(tmp_path, monkeypatch, packed):
    raw = LETTERS.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text8", raw)
    remote = Remote("text8.zip", (), len(raw), sha(buffer.getvalue()), sha(raw))
    monkeypatch.setattr(text8, "FILE", remote)
    file = tmp_path / ("text8.zip" if packed else "text8")
    file.write_bytes(buffer.getvalue() if packed else raw)
    parts = contents(build("text8", tmp_path))
    assert parts == {"train": LETTERS[:1800], "val": LETTERS[1800:1900], "test": LETTERS[1900:]}
