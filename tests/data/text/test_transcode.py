"""Text files in other encodings: what is UTF-8 already, and copies of what is not."""

import pytest

from zoo.data.text import transcode
from zoo.data.text.transcode import is_plain, is_wide, utf8_files
from zoo.errors import UserError

TEXT = "床前明月光，疑是地上霜。\n" * 30


def test_what_is_plain():
    for head in (b"", b"abc", TEXT.encode(), TEXT.encode()[:-2], b"abc\0"):
        assert is_plain(head) and not is_wide(head)
    assert not is_plain(TEXT.encode("gb18030")) and not is_plain(b"\x1f\x8b")
    for name in ("utf-16", "utf-32"):
        assert is_wide("ab".encode(name)) and not is_plain("ab".encode(name))
    assert not is_plain("many letters".encode("utf-16-le")), "without a mark"


def test_plain_files_stay_and_others_are_copied_once(tmp_path):
    plain, other = tmp_path / "a.txt", tmp_path / "b.txt"
    plain.write_text(TEXT, encoding="utf-8")
    other.write_bytes(TEXT.encode("gb18030"))
    root = tmp_path / "root"
    found, notes = utf8_files([plain, other], tmp_path, str(root))
    assert [file.name for file in found] == ["a.txt", "b.txt"] and found[0].path == plain
    assert found[1].path.parent == root / "tokens" and found[1].path.read_text("utf-8") == TEXT
    assert notes == ["b.txt is read as GB18030; if not, save it as UTF-8"]
    assert utf8_files([plain, other], tmp_path, str(root)) == (found, notes)
    assert len(list((root / "tokens").iterdir())) == 1


def test_what_cannot_be_converted_is_one_line(tmp_path, monkeypatch):
    other = tmp_path / "b.txt"
    other.write_bytes(TEXT.encode("gb18030"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="data.root=.*no copy in UTF-8 can be written there"):
        utf8_files([other], tmp_path, str(tmp_path / "file"))
    monkeypatch.setattr(transcode, "LARGEST", 100)
    with pytest.raises(UserError, match="b.txt: GB18030, and too large .*: iconv -f GB18030 -t"):
        utf8_files([other], tmp_path, str(tmp_path))
