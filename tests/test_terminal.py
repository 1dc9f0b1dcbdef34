"""Lines that are redrawn in place."""

import io
import shlex

from screen import Screen

from zoo.terminal import TerminalLines, bar, columns, command_lines, cut, cut_middle, folded


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


def test_names_are_cut_by_the_columns_that_they_take():
    for text in ("x" * 60, "很长的类别名称" * 9, "e\u0301" * 60):
        for width in (9, 28):
            assert width - 1 <= columns(cut_middle(text, width)) <= width
            assert width - 1 <= columns(cut(text, width)) <= width
    assert cut_middle("outputs/a/b/c", 9) == "outp…/b/c" and cut_middle("很长", 4) == "很长"


def test_commands_in_several_lines_are_the_same_command():
    words = ["python", "train.py", "optim.rates={head: 0.5}", "name=it's", "x" * 50, "a=b"]
    whole = command_lines("repeat    ", shlex.join(words), None)
    lines = command_lines("repeat    ", shlex.join(words), 40).splitlines()
    assert whole == f"repeat    {shlex.join(words)}" and len(lines) == 5
    assert all(len(line) <= 40 or "xx" in line for line in lines)
    assert shlex.split("".join(line.removesuffix("\\") for line in lines))[1:] == words


def test_sentences_are_folded_at_words_and_paths_stay_whole():
    path = "outputs/" + "x" * 30
    text = folded(f"the newest run there is {path}, 很长的名称", 30, "note: ", "  ")
    assert text == f"note: the newest run there is\n  {path},\n  很长的名称"
    assert folded(path, None, "note: ") == f"note: {path}"
    text = f"it is written by python train.py name={path} seed=1; see --help"
    assert folded(text, 30).splitlines() == [
        "it is written by",
        f"  python train.py name={path} seed=1;",
        "  see --help",
    ]
