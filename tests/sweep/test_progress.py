"""What a sweep shows on a terminal: a live display, and lines that stay."""

import os
import re
import sys

import forked
import killed
import pytest
from screen import Screen


def on_terminal(argv):
    """Run the command on a pseudo-terminal; prints what that received."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        code = 70
        try:
            os.environ["COLUMNS"] = "100"
            code = killed.train(argv)
        finally:
            sys.stdout.flush()
            os._exit(code)
    said = b""
    while True:
        try:
            said += (chunk := os.read(terminal, 65536))
        except OSError:
            break
        if not chunk:
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
    assert "running" not in text, "the live display is removed"
    assert text.count("done    lr=") == 4 and text.count("FAILED  lr=1e+30") == 2
