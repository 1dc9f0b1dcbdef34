"""Rounds that other machines disturbed, and the ratios within rounds."""

import itertools

from benchmarks import interleave


def run(monkeypatch, stolen):
    """Five rounds after a warm-up round; `stolen` seconds of each second, by round."""
    clock, stole = itertools.count(), [0.0]
    monkeypatch.setattr(interleave.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(interleave, "steal_seconds", lambda: stole[0])
    rounds = {"one": iter(range(6)), "two": iter(range(6))}

    def case(name, factor):
        number = next(rounds[name])
        stole[0] += stolen[number] if name == "two" else 0.0
        return factor * (number + 1.0)

    cases = {"one": lambda: case("one", 1.0), "two": lambda: case("two", 2.0)}
    return interleave.run_interleaved(cases, 5, "s")


def test_disturbed_rounds_are_left_out(monkeypatch, capsys):
    figures = run(monkeypatch, [9, 0, 1, 0, 0.1, 1])
    assert figures == {"one": [2.0, 4.0, 5.0], "two": [4.0, 8.0, 10.0]}
    out = capsys.readouterr().out
    assert out.startswith("other machines took CPU time in 2 of 5 rounds; these left out\n")
    assert "2.000 of one [2.000 to 2.000]" in out


def test_too_few_undisturbed_rounds_leave_none_out(monkeypatch, capsys):
    figures = run(monkeypatch, [0, 0, 1, 1, 1, 0])
    assert figures["one"] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert "in 3 of 5 rounds; none left out" in capsys.readouterr().out


def test_an_undisturbed_machine_is_not_mentioned(monkeypatch, capsys):
    assert len(run(monkeypatch, [0] * 6)["two"]) == 5
    assert capsys.readouterr().out.startswith("one ")


def test_steal_is_never_negative():
    assert interleave.steal_seconds() >= 0.0
