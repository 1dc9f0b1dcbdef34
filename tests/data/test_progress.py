"""Progress without a terminal: nothing for quick work, a line now and then for slow work."""

import sys

from zoo.data import progress
from zoo.data.progress import Progress


def test_quick_work_says_nothing(capsys):
    with Progress("reading", 10, "files") as bar:
        bar.update(10)
    assert capsys.readouterr().err == ""


def test_slow_work_says_how_far_it_is(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", -1.0)
    with Progress("reading", 10, "files") as bar:
        bar.update(4)
    with Progress("downloading x", None, "B") as bar:
        bar.update(1_500_000)
    assert capsys.readouterr().err == "reading: 4 files (40 %)\ndownloading x: 1.5 MB\n"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("reading", 10, "files") as bar:
        bar.update(10)
    assert "reading" in capsys.readouterr().err
