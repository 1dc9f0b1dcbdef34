"""What the benchmarks count: rounds in which the machine was ours."""

import importlib.util
import itertools

import pytest
from support import ROOT


@pytest.fixture
def script():
    path = ROOT / "scripts" / "benchmark_race.py"
    spec = importlib.util.spec_from_file_location("benchmark_race", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script, monkeypatch, stolen):
    """Five rounds behind one to warm up; `stolen` seconds of each second, by round."""
    clock, stole = itertools.count(), [0.0]
    monkeypatch.setattr(script.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(script, "steal", lambda: stole[0])
    rounds = {"one": iter(range(6)), "two": iter(range(6))}

    def case(name, factor):
        number = next(rounds[name])
        stole[0] += stolen[number] if name == "two" else 0.0
        return factor * (number + 1.0)

    cases = {"one": lambda: case("one", 1.0), "two": lambda: case("two", 2.0)}
    return script.race(cases, 5, "s")


def test_disturbed_rounds_are_left_out(script, monkeypatch, capsys):
    figures = run(script, monkeypatch, [9, 0, 1, 0, 0.1, 1])
    assert figures == {"one": [2.0, 4.0, 5.0], "two": [4.0, 8.0, 10.0]}
    said = capsys.readouterr().out
    assert said.startswith("the machine was taken away in 2 rounds; 2 of 5 left out\n")
    assert "2.000 of one [2.000 to 2.000]" in said


def test_of_few_calm_rounds_none_is_left_out(script, monkeypatch, capsys):
    figures = run(script, monkeypatch, [0, 0, 1, 1, 1, 0])
    assert figures["one"] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert "in 3 rounds; none left out" in capsys.readouterr().out


def test_a_calm_machine_is_not_spoken_of(script, monkeypatch, capsys):
    assert len(run(script, monkeypatch, [0] * 6)["two"]) == 5
    assert capsys.readouterr().out.startswith("one ")


def test_seconds_taken_by_others_are_no_less_than_none(script):
    assert script.steal() >= 0.0
