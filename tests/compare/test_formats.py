"""The output of the command in each format."""

import csv
import io
import json
import shlex

import pytest
from support import write_run

from zoo.compare.formats import fitted
from zoo.terminal import columns


def test_text(sweep, say):
    code, out, err = say(sweep)
    assert code == 0 and not err
    lines = out.splitlines()
    assert lines[0] == "toy on rain, by val/accuracy (larger is better): 4 runs"
    assert lines[2].split() == ["val/accuracy", "runs", "lr", "test/accuracy", "time"]
    assert lines[3].split()[:6] == ["1", "0.8500", "±", "0.0707", "2", "0.1"]
    assert "0.4250 ± 0.0354" in lines[3]
    assert lines[4].split()[:6] == ["2", "0.6000", "±", "0.1414", "2", "0.01"]
    assert "all runs  model.width=8" in out
    assert f"best      {sweep / '0.1-0'} and 1 more" in out
    assert f"failed  {sweep / 'bad'}: loss is nan | at step 7" in out
    repeat = next(line for line in lines if line.startswith("repeat"))
    assert shlex.split(repeat)[1:4] == ["python", "train.py", "-m"] and "seed=0,1" in repeat


@pytest.mark.parametrize("of_weights", [False, True])
def test_what_compares_tokenizers_is_named(of_weights, tmp_path, say):
    for tokenizer in ("byte", "bpe"):
        values, result = {"loss": 1.0, "bits_per_byte": 2.0}, {"monitor": "-loss"}
        more = {} if of_weights else {"data__tokenizer": tokenizer}
        if of_weights:
            result["tokenizer"] = f"{tokenizer}-300-0123abcd"
        write_run(tmp_path / tokenizer, values, result=result, task__name="causal_lm", **more)
    assert "; --metric val/bits_per_byte compares them" in say(tmp_path)[1]
    assert "cannot be compared" not in say(tmp_path, "--metric", "val/bits_per_byte")[1]


def test_json_names_no_best_where_no_figure_is_finite(tmp_path, say):
    for seed in range(2):
        write_run(tmp_path / str(seed), {"accuracy": None}, seed=seed)
    (table,) = json.loads(say(tmp_path, "--json")[1])["tables"]
    assert table["best"] is None and table["command"] is None


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


def test_csv_writes_true_and_false_as_configs_do(tmp_path, say):
    for value in (True, False):
        write_run(tmp_path / str(value), 0.5, model__bias=value)
    rows = csv.DictReader(io.StringIO(say(tmp_path, "--csv")[1]))
    assert {row["model.bias"] for row in rows} == {"true", "false"}


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
    (_, row), _ = fitted([("", "class"), ("1", "很长的名称" * 9)], 80)
    assert columns(row[-1]) in (27, 28)
    many = [("", "a"), *((str(k), "1") for k in range(1000))]
    shown, notes = fitted(many, 80)
    assert len(shown) == 41 and "960 more lines" in notes[0]


def test_no_run_is_the_best_where_none_is_finite(tmp_path, say):
    for seed in (0, 1):
        write_run(tmp_path / str(seed), {"accuracy": None}, seed=seed)
    code, out, err = say(tmp_path)
    assert code == 0 and not err
    assert "best      none: no val/accuracy is finite" in out and "repeat" not in out
