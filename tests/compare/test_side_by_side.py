"""What the command says about two runs."""

import json

from support import write_run


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
