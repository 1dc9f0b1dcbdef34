"""The command: what it ranks, and its messages for mistakes."""

import json

import pytest
from support import write_run


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
    "not a run": (["--diff", "{0}/bad", "{0}/empty"], "is not a run directory"),
    "key=value": (["{0}", "metric=val/loss"], "options have dashes here: --metric val/loss"),
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
