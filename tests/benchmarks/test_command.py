"""The benchmarks by name."""

import importlib
import inspect
import sys
from types import SimpleNamespace

import pytest

from benchmarks import command
from zoo.errors import UserError

OPTIONS = {"base", "rounds", "epochs", "threads", "repeats", "overrides"}


@pytest.mark.parametrize("name", command.BENCHMARKS)
def test_every_name_is_a_function_and_explained(name):
    function = getattr(importlib.import_module(f"benchmarks.{command.BENCHMARKS[name]}"), name)
    assert inspect.signature(function).parameters.keys() <= OPTIONS
    assert f"\n{name} " in command.USAGE


@pytest.fixture
def calls(monkeypatch):
    """What two benchmarks that measure nothing were called with."""
    calls = []
    module = SimpleNamespace(
        first=lambda rounds, threads: calls.append(("first", rounds, threads)),
        second=lambda epochs: calls.append(("second", epochs)),
    )
    monkeypatch.setitem(sys.modules, "benchmarks.fake", module)
    monkeypatch.setattr(command, "BENCHMARKS", {"first": "fake", "second": "fake"})
    return calls


def test_several_names_run_one_after_another_with_what_each_asks_for(calls):
    assert command.main(["second", "first", "rounds=3", "epochs=5"]) == 0
    assert calls == [("second", 5), ("first", 3, 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "unknown benchmark ''"),
        (["first", "secnd"], "did you mean 'second'"),
        (["first", "rounds=0"], "rounds=0: expected a whole number"),
        (["first", "round=1"], "did you mean 'rounds='"),
        (["first", "optim.lr=1"], "takes no settings"),
    ],
)
def test_a_mistake_runs_nothing(calls, arguments, message):
    with pytest.raises(UserError, match=message):
        command.main(arguments)
    assert calls == []
