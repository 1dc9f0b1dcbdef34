"""Texts from the command line and the standard input."""

import io

import pytest

from zoo.commands.lines import each_input, texts
from zoo.errors import UserError


def piped(monkeypatch, raw):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8"))
    return texts("-")


def test_lines_of_the_standard_input(monkeypatch):
    assert list(texts("a\nb")) == ["a\nb"]
    raw = "\ufeff明月\r\n\nlast".encode()
    assert list(piped(monkeypatch, raw)) == ["明月", "", "last"]


@pytest.mark.parametrize(
    ("blank", "as_texts", "read"),
    [
        (True, False, ["", "a", "", "b c"]),
        (False, False, ["a", "b c"]),
        (False, True, [["a"], ["b c"]]),
    ],
)
def test_a_blank_line_is_an_input_or_none(monkeypatch, blank, as_texts, read):
    piped(monkeypatch, b"\na\n\nb c\n")
    assert list(each_input(["", "x", "-"], blank, as_texts)) == ["", "x", *read]


def test_another_encoding_is_named_by_its_byte(monkeypatch):
    with pytest.raises(UserError, match="input=-: the standard input is not UTF-8 .byte 0xc3."):
        list(piped(monkeypatch, "明月".encode("gb18030")))
