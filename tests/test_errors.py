"""Mistakes: the valid name that is closest, and messages that any terminal can print."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

from zoo.errors import UserError, closest_match, report, unknown_name


def test_the_closest_name_is_found():
    valid = ["optim.lr", "trainer.max_steps", "trainer.max_epochs", "seed", "model"]
    assert closest_match("lr", valid) == "optim.lr"
    assert closest_match("trainer.max_step", valid) == "trainer.max_steps"
    assert closest_match("max_steps", valid) == "trainer.max_steps"
    assert closest_match("sed", valid) == "seed"
    assert closest_match("qqqqq", valid) is None
    assert closest_match("Y", ["x", "y"]) == "y" and closest_match("AGE", ["Age", "wage"]) == "Age"
    assert unknown_name("model", "q", []) == "unknown model 'q' (one of: none)"


def test_characters_that_the_terminal_lacks_are_printed_as_codes(monkeypatch):
    """A name that is not UTF-8, and Chinese in an old code page."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert report(lambda: print("caf\udce9 猫", flush=True)) == 0
    assert written.getvalue() == b"caf\\udce9 \\u732b\n"


def test_what_is_quoted_stays_short_and_moves_no_cursor():
    assert str(UserError("a\nb\x1b[2J\u202ec 猫é")) == "a b\\x1b[2J\\u202ec 猫é"
    long = str(UserError(f"data.path: {'x' * 3000}; see {'y ' * 3000}"))
    assert len(long) < 2200 and "[... 2,701 characters ...]" in long and "\n" not in long
    listed = f"one of: {', '.join(f'name{k}' for k in range(150))}"
    assert str(UserError(listed)) == listed


COMMAND = "import sys; from zoo.errors import report; sys.exit(report(lambda: print('x' * 9)))"


def shell(line, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PY": sys.executable, "DO": COMMAND}
    done = subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr, done.stderr
    return done


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no such device")
def test_output_that_goes_nowhere(tmp_path):
    assert shell('"$PY" -c "$DO" >&-', tmp_path).returncode == 0
    assert shell('"$PY" -c "$DO" 2>&-', tmp_path).stdout == "xxxxxxxxx\n"
    full = shell('"$PY" -c "$DO" > /dev/full', tmp_path)
    assert full.returncode == 1 and full.stderr.startswith("error: the output cannot be written: ")
    both = shell('"$PY" -c "$DO" > /dev/full 2>&1', tmp_path)
    assert both.returncode == 1


def test_a_folder_that_was_deleted(tmp_path):
    (tmp_path / "gone").mkdir()
    done = shell('cd gone; rmdir "$PWD"; "$PY" -c "$DO"', tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("error: the folder that this was"), done
