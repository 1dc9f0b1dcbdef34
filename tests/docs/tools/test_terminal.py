"""Pictures of a terminal: what is typed and waited for, and how a screen becomes HTML."""

import io
import shutil

import pytest

from docs.tools import terminal
from docs.tools.browser import Browser
from zoo.training.progress_bar import ProgressBar


def test_colours_and_weights_are_kept_and_all_else_of_a_terminal_is_not():
    screen = "\x1b[1;32mdone\x1b[0m <b>\x1b[2mpale\x1b[22m \x1b[31mred\x1b[39m\x1b(B\x1b[?25l\x0f."
    assert terminal.as_html(screen) == (
        '<span style="font-weight:bold;color:#3c8d40">done</span> &lt;b&gt;'
        '<span style="opacity:0.65">pale</span> <span style="color:#c0392b">red</span>.'
    )


def test_the_bar_is_known_when_it_is_well_under_way():
    bar = ProgressBar(io.StringIO(), 0, 100, 0.0, None)
    bar.loss, bar.score = "loss 0.5470", ("accuracy", "0.9833")
    seen = []
    for step in (10, 50):
        bar.update(step, step / 145, at_once=True)
        seen.append(bool(terminal.BAR.search(f"step 1/100  val\n{bar.text(terminal.COLUMNS - 1)}")))
    assert seen == [False, True]


@pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux")
def test_a_command_is_typed_and_its_screen_drawn(monkeypatch, tmp_path):
    (tmp_path / "runs").mkdir()
    typed = "printf '\\033[32m%079d\\n' 7; ls -d outputs"
    monkeypatch.setattr(terminal, "PICTURES", {"one": ((typed, terminal.ended),)})
    monkeypatch.setattr(terminal, "COMPARE", typed)
    drawn = []
    monkeypatch.setattr(
        terminal, "draw", lambda browser, screen, path: drawn.append((screen, path)) or path
    )
    browser = Browser.__new__(Browser)  # not asked
    (path,) = terminal.take(browser, ["one"], tmp_path / "runs", tmp_path)
    assert path == tmp_path / "one.png"
    prompt, number, listed, last, *_ = terminal.ESCAPE.sub("", drawn[0][0]).splitlines()
    assert prompt == f"$ {typed}" and number == f"{7:079}" and listed == "outputs"
    assert last.strip() == "$" and "\x1b[32m" in drawn[0][0]
