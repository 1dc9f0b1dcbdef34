"""The encoding of a text shows in its bytes; where it does not, nothing is guessed."""

from pathlib import Path

import pytest

from zoo.data.charset import read_text
from zoo.errors import UserError

CHINESE = "城市,性别,收入\n北京,男,12\n上海,女,30\n"
GERMAN = "name,ort\nMüller,Köln\nGroß,Fürth\nStraße,größe\n"


@pytest.mark.parametrize(
    ("text", "encoding", "noted"),
    [
        ("a,ü,北\n", "utf-8", False),
        ("a,ü,北\n", "utf-8-sig", False),
        (CHINESE, "utf-16", False),
        (CHINESE, "utf-32", False),
        (CHINESE, "utf-16-le", True),
        (CHINESE, "utf-16-be", True),
        (CHINESE, "gb18030", True),
        ("性别\n男\n女\n", "gbk", True),
        (GERMAN, "cp1252", True),
        ("L’été à 15 €;déjà vu;cœur\n", "cp1252", True),
        ("¿Qué?,año,São João,ação\n", "latin1", True),
    ],
)
def test_it_is_read_and_said_where_it_was_recognised(write, text, encoding, noted):
    read, notes = read_text(Path(write("t.csv", text.encode(encoding))))
    assert read == text
    assert [encoding.upper()[:3] in note for note in notes] == [True] * noted or (
        noted and "read as" in notes[0]
    )


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Москва,Казань,имя\n", "cp1251"),
        ("Москва,Казань,имя\n", "koi8-r"),
        ("Łódź,ąę,ście,żółć\n", "cp1250"),
        ("性别,男,女,北京市\n", "big5"),
        ("今日はとても良い天気です\n", "shift_jis"),
        ("今日はとても良い天気です\n", "euc_jp"),
        ("안녕하세요 오늘은 날씨가 좋습니다 우리는\n", "euc_kr"),
        (GERMAN, "cp850"),
        (GERMAN, "mac-roman"),
    ],
)
def test_no_other_encoding_is_taken_for_one_of_these(write, text, encoding):
    with pytest.raises(UserError, match=r"t.csv, line 1: not UTF-8 .*iconv -f|line 2: not UTF-8"):
        read_text(Path(write("t.csv", text.encode(encoding, errors="ignore"))))


def test_a_damaged_text_is_no_other_encoding(write):
    raw = "Müller, 北京, größe".encode()
    for broken in (raw[:-1] + b"\xc3", raw.replace(b"M\xc3", b"M\xff")):
        with pytest.raises(UserError, match="not UTF-8"):
            read_text(Path(write("t.csv", broken)))
    with pytest.raises(UserError, match="damaged UTF-16"):
        read_text(Path(write("t.csv", "ab".encode("utf-16") + b"\0")))
    with pytest.raises(UserError, match="not a text: byte 0 at offset 1"):
        read_text(Path(write("t.csv", b"a\0" + b"b" * 40)))
