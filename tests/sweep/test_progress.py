"""What a sweep shows on a terminal: a table that is drawn over and over, and lines that stay."""

import io
import os
import re
import sys

import forked
import pytest

from zoo.commands import train as cli
from zoo.sweep.terminal import Live, bar


class Screen:
    """As much of a terminal as `Live` needs: lines, the cursor's way up, clearing below."""

    def __init__(self):
        self.lines = [""]

    def feed(self, text):
        for part in re.split(r"(\x1b\[\d*[FJ]|\r?\n)", text):
            if found := re.fullmatch(r"\x1b\[(\d*)F", part):
                self.row = len(self.lines) - 1 - int(found[1])
                assert self.row >= 0, "above the top"
            elif part == "\x1b[J":
                del self.lines[self.row :]
                self.lines.append("")
            elif part in ("\n", "\r\n"):
                self.lines.append("")
            else:
                self.lines[-1] += part


def test_lines_are_drawn_in_place_of_those_before(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream, screen = io.StringIO(), Screen()
    live = Live(stream)
    live.draw(["one", "two"])
    live.draw(["three is longer than a line", "four", "five"])
    live.clear()
    stream.write("stays\n")
    live.draw(["six"])
    screen.feed(stream.getvalue())
    assert screen.lines == ["stays", "six", ""]
    assert "three is longer th…" in stream.getvalue()


def test_the_bar_has_one_length():
    assert {len(bar(share)) for share in (0, 0.3, 1, 7)} == {26}
    assert bar(0.5).count("#") == bar(0.5).count(".")


def on_terminal(argv):
    """The command on a pseudo-terminal; prints what that was given."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        code = 70
        try:
            os.environ["COLUMNS"] = "100"
            code = cli.main(argv)
        finally:
            sys.stdout.flush()
            os._exit(code)
    said = b""
    while True:
        try:
            said += (piece := os.read(terminal, 65536))
        except OSError:
            break
        if not piece:
            break
    print(said.decode(), end="")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="sweeps fork")
def test_a_terminal_shows_what_is_running(tmp_path):
    argv = [
        "-m", "experiment=mlp_rain", "trainer.max_steps=1500", "trainer.eval_steps=100",
        "trainer.device=cpu", "trainer.precision=fp32", "optim=sgd", "sweep.slots=2",
        "optim.lr=0.01,1e30,0.02,0.03,0.04", f"output_dir={tmp_path / 'outputs'}",
    ]  # fmt: skip
    log = tmp_path / "log"
    assert forked.call(log, on_terminal, argv) == 1
    said = log.read_text()
    assert re.search(r"\[#*\.+\]  \d/5  \d running", said)
    assert re.search(r"running  lr=0.0\d  step [\d,]+  val/accuracy 0\.\d{4}", said)
    assert re.search(r"best     val/accuracy 0\.\d{4}  lr=0.0\d", said)
    screen = Screen()
    screen.feed(said)
    text = "\n".join(screen.lines)
    assert "running" not in text, "the table is taken away"
    assert text.count("done    lr=") == 4 and text.count("FAILED  lr=1e+30") == 2
