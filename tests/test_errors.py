"""Mistakes: the valid name that is closest, and messages that any terminal can print."""

import io
import sys

from zoo.errors import closest_match, report, unknown_name


def test_the_closest_name_is_found():
    valid = ["optim.lr", "trainer.max_steps", "trainer.max_epochs", "seed", "model"]
    assert closest_match("lr", valid) == "optim.lr"
    assert closest_match("trainer.max_step", valid) == "trainer.max_steps"
    assert closest_match("max_steps", valid) == "trainer.max_steps"
    assert closest_match("sed", valid) == "seed"
    assert closest_match("qqqqq", valid) is None
    assert unknown_name("model", "q", []) == "unknown model 'q'; (one of: none)"


def test_characters_that_the_terminal_lacks_are_printed_as_codes(monkeypatch):
    """A name that is not UTF-8, and Chinese in an old code page."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    assert report(lambda: print("caf\udce9 猫", flush=True)) == 0
    assert written.getvalue() == b"caf\\udce9 \\u732b\n"
