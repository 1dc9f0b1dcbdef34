"""`import zoo`: what it offers, and that it is light until something is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).resolve().parents[2]


def test_every_name_is_there_and_is_described():
    assert set(zoo.__all__) <= set(dir(zoo))
    for name in zoo.__all__:
        assert getattr(zoo, name).__doc__, name
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'trian'"):
        zoo.trian  # noqa: B018


def test_type_checkers_are_told_the_same_names():
    stub = ast.parse((ROOT / "zoo" / "__init__.pyi").read_text())
    told = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom)
            for alias in node.names]  # fmt: skip
    assert sorted(told) == sorted(zoo.__all__)
    for node in stub.body:
        if isinstance(node, ast.ImportFrom) and node.module in zoo._HOMES.values():
            assert all(zoo._HOMES[alias.name] == node.module for alias in node.names)


def test_the_import_is_light_and_so_is_what_needs_no_weights(rain_run):
    code = f"""
import sys, zoo
assert not [name for name in sys.modules if name.startswith("zoo.")]
run = zoo.load({str(rain_run)!r})
run.metrics, run.config, run.result, run._repr_html_()
try:
    zoo.train("optim.lrr=1")
except zoo.UserError as error:
    print(error)
heavy = {{"torch", "numpy", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "unknown key 'optim.lrr'; did you mean 'optim.lr'?\n"
