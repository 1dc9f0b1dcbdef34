"""What is said of a table fits a terminal of 80 columns, and programs get the same figures."""

import json

from support import write_run


def arms(folder, *rows):
    for width, figures in enumerate(rows, 1):
        for seed, figure in enumerate(figures):
            path = folder / f"{width}-{seed}"
            typed = [f"model.width={width}"]
            write_run(path, figure, seed=seed, model__width=width, typed=typed)


def test_a_difference_that_is_shown(tmp_path, say):
    arms(tmp_path, (0.90, 0.92, 0.91), (0.70, 0.73, 0.71))
    out = say(tmp_path)[1]
    assert "verdict   1 is better than 2: +0.1967 (97% interval +0.17" in out
    assert "; paired t-test, 3 seeds, p = 0.00029)" in out and "decide  " not in out


def test_a_difference_that_is_not_shown_says_what_would(tmp_path, say):
    arms(tmp_path, (0.90, 0.92, 0.91), (0.90, 0.91, 0.93))
    out = say(tmp_path)[1]
    assert "verdict   1 and 2 do not differ significantly: +0.00" in out
    assert "such runs show a difference of 0.0" in out and "in 80% of cases" in out
    assert f"decide    python scripts/compare.py --decide {tmp_path}/" in out


def test_a_difference_that_many_lines_make_likely_is_called_so(tmp_path, say):
    """Its own interval is above 0, so that no number of seeds is missing for it."""
    arms(tmp_path, (0.92, 0.931, 0.939), *[(0.90, 0.91, 0.92)] * 9, (0.9, 0.7, 0.9))
    out = say(tmp_path)[1]
    assert "verdict   1 and 2 do not differ significantly, corrected for all pairs of lines" in out
    assert "in 80% of cases" not in out and "Holm's correction for 55 pairs" in out


def test_lines_after_the_second(tmp_path, say):
    arms(tmp_path, (0.90, 0.92, 0.91), (0.90, 0.91, 0.92), (0.1, 0.12, 0.11), (0.2, 0.9, 0.7))
    out = say(tmp_path)[1]
    others = "no significant difference from 1: 2, 3 (Holm's correction for 6 pairs)"
    assert f"worse than 1: 4; {others}" in out


def test_one_seed(tmp_path, say):
    arms(tmp_path, (0.9,), (0.8,))
    assert "verdict   one seed decides nothing" in say(tmp_path)[1]


def test_it_wraps_on_a_terminal(tmp_path, say, monkeypatch):
    arms(tmp_path, (0.90, 0.92, 0.91), (0.90, 0.91, 0.93))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = say(tmp_path)[1].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("verdict"))
    end = next(k for k, line in enumerate(lines) if line.startswith("decide"))
    assert all(len(line) <= 80 for line in lines[start:end]) and end - start > 4


def test_json_has_the_decision_the_interval_and_the_reason(tmp_path, say):
    arms(tmp_path, (0.90, 0.92, 0.91), (0.70, 0.73, 0.71))
    (table,) = json.loads(say(tmp_path, "--json")[1])["tables"]
    verdict = table["verdict"]
    (against,) = verdict["against_first"]
    assert verdict["first_is_best"] and against["decision"] == "different"
    assert against["method"] == "paired t-test" and against["runs"] == [3, 3]
    assert against["interval"][0] < against["better_by"] < against["interval"][1]
    assert against["p"] == against["p_corrected"] < 0.001
    assert table["won_because"][0].startswith("Line 1 won by width=1 rather than 2")
