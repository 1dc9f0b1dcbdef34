"""Lines that are redrawn in place."""

import io

from screen import Screen

from zoo.terminal import TerminalLines, bar


def test_lines_replace_those_drawn_before(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream, screen = io.StringIO(), Screen()
    live = TerminalLines(stream)
    live.draw(["one", "two"])
    live.draw(["three is longer than a line", "four", "five"])
    live.clear()
    stream.write("stays\n")
    live.draw(["six"])
    screen.feed(stream.getvalue())
    assert screen.lines == ["stays", "six", ""]
    assert "three is longer th…" in stream.getvalue()


def test_the_bar_has_one_length():
    assert {len(bar(fraction)) for fraction in (0, 0.3, 1, 7)} == {26}
    assert bar(0.5).count("#") == bar(0.5).count(".")
