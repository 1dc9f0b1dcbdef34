"""zoo.compare: the command's tables and decision as values, and as tables of a notebook."""

import json
import math

import pytest
from support import write_run

import zoo
from zoo.compare import plots  # noqa: F401  # a part of the package hides no function
from zoo.compare.main import main


def test_it_says_what_the_command_says(sweep, say):
    found = zoo.compare(sweep)
    assert say(sweep)[1].rstrip("\n") == str(found) == repr(found)
    assert json.loads(say(sweep, "--json")[1]) == found.content
    rows = [{k: v for k, v in row.items() if v is not None} for row in found.rows]
    assert [row.get("place") for row in rows] == [1, 2, None] and rows[2]["state"] == "failed"
    assert rows[0]["val/accuracy"] == pytest.approx(0.85) and rows[0]["optim.lr"] == 0.1
    verdict = found.content["tables"][0]["verdict"]
    assert found.decision[: len(verdict["text"])] == verdict["text"]
    assert all(sentence in str(found) for sentence in found.decision)


def test_runs_are_paths_or_runs(sweep):
    first, second = sorted(path for path in sweep.iterdir() if path.name.startswith("0.1-"))
    for given in ([first, second], [str(first), second], iter([zoo.load(first), zoo.load(second)])):
        (table,) = zoo.compare(given).tables
        assert [run.path for run in table.runs] == [first, second]
    alone = zoo.compare(zoo.load(first))
    assert len(alone.tables[0].runs) == 1 and alone.decision == []


def test_a_metric_and_the_settings_to_average_over(sweep):
    by_test = zoo.compare(sweep, metric="test/accuracy", group_by=[])
    assert len(by_test.tables[0].groups) == 4 and by_test.rows[0]["metric"] == "test/accuracy"


def test_a_notebook_shows_tables_and_sentences(sweep):
    html = zoo.compare(sweep)._repr_html_()
    assert html.count("<table>") == 1 and "0.8500 ± 0.0707" in html
    assert all(sentence.split(":")[0] in html for sentence in zoo.compare(sweep).decision)
    assert "loss is nan | at step 7" in html and f"failed: {sweep / 'bad'}" in html


def test_of_several_experiments_each_decision_names_its_own(tmp_path):
    for name in ("a", "b"):
        for rate in (0.1, 0.2):
            path = tmp_path / f"{name}{rate}"
            write_run(path, rate, rate, experiment=name, optim__lr=rate, typed=["optim.lr=1"])
    found = zoo.compare(tmp_path)
    assert len(found.tables) == 2 and found.decision
    assert {sentence.split(":")[0] for sentence in found.decision} == {"a on rain", "b on rain"}


def test_mistakes_are_those_of_the_command(sweep, tmp_path, capsys):
    for folder in (tmp_path / "none", ["nowhere"]):
        with pytest.raises(zoo.UserError, match="there is no such folder"):
            zoo.compare(folder)
    with pytest.raises(zoo.UserError) as caught:
        zoo.compare(sweep, metric="val/acc")
    assert main([str(sweep), "--metric", "val/acc"]) == 2
    assert capsys.readouterr().err == f"error: {caught.value}\n"
    with pytest.raises(zoo.UserError, match="which runs"):
        zoo.compare([])


def test_runs_without_a_result_have_no_table(tmp_path):
    write_run(tmp_path / "run", status=None)
    found = zoo.compare(tmp_path)
    assert found.tables == [] and found.decision == [] and "not ranked" in str(found)
    assert not any(
        isinstance(v, float) and math.isnan(v) for row in found.rows for v in row.values()
    )
