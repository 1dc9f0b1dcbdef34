"""The command: its output in each format, and its messages for mistakes."""

import csv
import io
import json
import shlex

import pytest
from support import write_run

from zoo.compare.formats import fitted
from zoo.compare.main import main


@pytest.fixture
def say(capsys):
    """Run it: exit code, output, errors."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def sweep(tmp_path):
    """Two rates, two seeds each, the greater rate better; and one that failed."""
    for lr, seed, score in ((0.1, 0, 0.9), (0.1, 1, 0.8), (0.01, 0, 0.5), (0.01, 1, 0.7)):
        typed = [f"optim.lr={lr}", f"seed={seed}", "model.width=8"]
        write_run(tmp_path / f"{lr}-{seed}", score, score / 2, seed=seed, optim__lr=lr, typed=typed)
    bad = {"reason": "loss is nan | at step 7"}
    write_run(tmp_path / "bad", status="failed", optim__lr=99.0, result=bad)
    return tmp_path


def test_text(sweep, say):
    code, out, err = say(sweep)
    assert code == 0 and not err
    lines = out.splitlines()
    assert lines[0] == "toy on rain, by val/accuracy (larger is better): 4 runs"
    assert lines[2].split() == ["val/accuracy", "runs", "lr", "test/accuracy", "time"]
    assert lines[3].split()[:6] == ["1", "0.8500", "±", "0.0707", "2", "0.1"]
    assert "0.4250 ± 0.0354" in lines[3]
    assert lines[4].split()[:6] == ["2", "0.6000", "±", "0.1414", "2", "0.01"]
    assert "in all    model.width=8" in out
    assert f"best      {sweep / '0.1-0'} and 1 more" in out
    assert f"failed  {sweep / 'bad'}: loss is nan | at step 7" in out
    repeat = next(line for line in lines if line.startswith("repeat"))
    assert shlex.split(repeat)[1:4] == ["python", "train.py", "-m"] and "seed=0,1" in repeat


def test_csv_is_complete(sweep, say):
    rows = list(csv.DictReader(io.StringIO(say(sweep, "--csv")[1])))
    assert [row["state"] for row in rows] == ["done", "done", "failed"]
    best = rows[0]
    assert float(best["val/accuracy"]) == pytest.approx(0.85) and best["optim.lr"] == "0.1"
    assert float(best["val/accuracy deviation"]) == pytest.approx(0.0707, abs=1e-4)
    assert (best["place"], best["runs"], best["seed"]) == ("1", "2", "0 1")
    assert shlex.split(best["path"]) == [str(sweep / "0.1-0"), str(sweep / "0.1-1")]
    assert rows[2]["reason"] == "loss is nan | at step 7"
    single = list(csv.DictReader(io.StringIO(say(sweep, "--csv", "--group-by", "none")[1])))
    assert len(single) == 5 and single[0]["val/accuracy deviation"] == ""


def test_json_is_complete_and_strict(sweep, say):
    def refuse(word):
        raise AssertionError(word)

    content = json.loads(say(sweep, "--json", "--group-by", "none")[1], parse_constant=refuse)
    (table,) = content["tables"]
    assert [group["runs"][0]["seed"] for group in table["groups"]] == [0, 1, 1, 0]
    assert table["groups"][0]["figures"]["val/accuracy"] == {"mean": 0.9, "deviation": None}
    assert table["constant"] == {"model.width": 8} and table["larger_is_better"] is True
    assert content["apart"][0]["state"] == "failed"


def test_markdown_is_a_table(sweep, say):
    out = say(sweep, "--md")[1]
    rows = [line for line in out.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert cells[0] == ["", "val/accuracy", "runs", "lr", "test/accuracy", "time"]
    assert cells[2][:4] == ["1", "0.8500 ± 0.0707", "2", "0.1"]
    assert "loss is nan \\| at step 7" in rows[-1]


def test_a_narrow_terminal_loses_columns_and_says_so():
    rows = [("", "val/loss", "lr", "wd", "path"), ("1", "0.5", "0.1", "0.2", "x" * 60)]
    shown, notes = fitted(rows, 30)
    assert shown[0] == ("", "val/loss", "lr", "wd") and "1 more column: path" in notes[0]
    (_, row), notes = fitted(rows, 80)
    assert "…" in row[-1] and len(row[-1]) == 28 and not notes
    many = [("", "a"), *((str(k), "1") for k in range(1000))]
    shown, notes = fitted(many, 80)
    assert len(shown) == 41 and "960 more lines" in notes[0]


def test_a_thousand_runs(tmp_path, say):
    for k in range(1000):
        write_run(tmp_path / str(k), k / 1000, optim__lr=0.001 * (k // 2), seed=k % 2)
    (table,) = json.loads(say(tmp_path, "--json")[1])["tables"]
    assert len(table["groups"]) == 500
    assert table["groups"][0]["figures"]["val/accuracy"]["mean"] == pytest.approx(0.9985)


def test_unfinished_runs_are_listed_and_not_ranked(tmp_path, say):
    write_run(tmp_path / "a", status=None)
    code, out, _ = say(tmp_path)
    assert code == 1 and "unfinished" in out and "running, or killed" in out


def test_two_runs(sweep, say):
    first, second = sweep / "0.1-0", sweep / "0.01-0"
    code, out, _ = say("--diff", first, second)
    assert code == 0 and "optim.lr  0.1  0.01" in out
    assert "val/accuracy   0.9000  0.5000   -0.4" in out
    assert "code, data and environment are the same" in out
    content = json.loads(say("--diff", first, second, "--json")[1])
    assert content["settings"] == {"optim.lr": [0.1, 0.01]} and content["losses"] is None


def test_where_losses_diverge(tmp_path, say):
    write_run(tmp_path / "a", 0.5, losses=[0.5, 0.4, 0.3])
    write_run(tmp_path / "b", 0.5, losses=[0.5, 0.4, 0.1])
    write_run(tmp_path / "c", 0.5, losses=[0.5, 0.4, 0.3])
    out = say("--diff", tmp_path / "a", tmp_path / "b")[1]
    assert "bit-identical for 20 steps (2 reports), diverge at step 30: 0.3 and 0.1" in out
    assert "67 % apart" in out
    out = say("--diff", tmp_path / "a", tmp_path / "c")[1]
    assert "train/loss bit-identical in all 3 reports, to step 30" in out
    assert "no setting that has an effect differs" in out


MISTAKES = {
    "nothing": ([], "which runs? give folders"),
    "a flag": (["{0}", "--metrc", "x"], "unknown option '--metrc'; did you mean --metric?"),
    "a metric": (["{0}", "--metric", "val/acuracy"], "did you mean 'val/accuracy'?"),
    "a setting": (["{0}", "--group-by", "optim.l"], "did you mean 'optim.lr'?"),
    "no run": (["{0}/empty"], "there are no runs at or below it"),
    "no folder": (["{0}/nowhere"], "there is no such folder"),
    "two formats": (["{0}", "--csv", "--md"], "not allowed with"),
    "no value": (["{0}", "--metric"], "expected one argument"),
    "one run": (["--diff", "{0}/0.1-0"], "--diff takes two runs, got 1"),
    "three runs": (["--diff", "{0}/bad", "{0}/bad", "{0}/bad"], "--diff takes two runs, got 3"),
    "a run twice": (["--diff", "{0}/bad", "{0}/bad"], "are the same run"),
    "not a run": (["--diff", "{0}/bad", "{0}"], "is not a run directory"),
    "a format of diff": (["--diff", "{0}/bad", "{0}/0.1-0", "--csv"], "and takes no --csv"),
    "nothing to plot": (["{0}/0.1-0", "--plot"], "there are not two finished ones"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_one_line(sweep, say, arguments, said):
    (sweep / "empty").mkdir()
    code, _, err = say(*(argument.format(sweep) for argument in arguments))
    assert code == 2 and len(err.splitlines()) == 1 and err.startswith("error: ")
    assert said in err
    assert not list(sweep.glob("**/compare")), "nothing is left behind"
