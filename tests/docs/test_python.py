"""docs/python.md: its code runs as it stands, and gives what the comments say."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from small_runs import small_runs

import zoo

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_blocks_run_one_after_another(tmp_path, monkeypatch):
    small_runs(monkeypatch, tmp_path)
    names = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for block in BLOCKS:
            exec(compile(block, "python.md", "exec"), names)
    said = re.search(r"print\(error\)  # (.*)", TEXT)[1]
    assert said in printed.getvalue().splitlines()
    assert str(names["found"]) in printed.getvalue()
    assert len(names["runs"]) == 6 and names["logits"].shape == (1, 2)
    assert names["found"].decision and names["found"].rows[0]["runs"] == 3


@pytest.mark.parametrize("name", zoo.__all__)
def test_every_name_is_on_the_page(name):
    described = {"Run": "run", "compare": "zoo.compare(", "load": "zoo.load("}
    assert described.get(name, f"zoo.{name}") in TEXT


def test_every_attribute_of_a_run_is_on_the_page():
    public = [name for name in vars(zoo.Run) if not name.startswith("_")]
    assert len(public) >= 7
    missing = [name for name in public if f"run.{name}" not in TEXT]
    assert missing == []
