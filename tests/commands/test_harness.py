"""scripts/harness.py without the harness: one line. With it: test_harness_model.py."""

import sys

import pytest

from zoo.commands.harness import main


def test_without_the_package_it_says_what_to_install(rain_run, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    line = refused(main, f"run={rain_run}", "tasks=[arc_easy]")
    assert line.startswith("the harness needs a package") and "pip install" in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("shots=-1", "shots=-1: expected a whole number from 0 on"),
        ("path=nowhere", "there is no such folder"),
        ("data=text", "a run is judged as trained; give only run="),
    ],
)
def test_mistakes_are_told_before_torch_is_imported(more, said, refused):
    assert said in refused(main, "run=nowhere", "tasks=[arc_easy]", more)
