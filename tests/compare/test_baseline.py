"""Lines that do not beat the trivial baseline of their task are named."""

import json

from support import write_run


def test_lines_below_the_baseline_are_named(tmp_path, say):
    known = {"name": "majority class", "val": {"accuracy": 0.9}, "test": {}, "beaten": True}
    for width, figure in ((1, 0.95), (2, 0.9), (3, 0.5)):
        path, result = tmp_path / str(width), {"baseline": known}
        typed = [f"model.width={width}"]
        write_run(path, figure, model__width=width, typed=typed, result=result)
    out = say(tmp_path)[1]
    expected = "no better than the trivial baseline (majority class, val/accuracy 0.9000): 2, 3"
    assert f"baseline  {expected}" in out
    (table,) = json.loads(say(tmp_path, "--json")[1])["tables"]
    assert [group["beats_baseline"] for group in table["groups"]] == [True, False, False]


def test_a_lower_loss_beats_it_and_older_runs_have_none(tmp_path, say):
    known = {"name": "unigram", "val": {"loss": 2.0}}
    more = {"monitor": "-loss", "baseline": known}
    write_run(tmp_path / "a", {"loss": 1.0}, result=more)
    assert "trivial baseline" not in say(tmp_path)[1]
    write_run(tmp_path / "b", {"loss": 3.0}, optim__lr=1.0, result={"monitor": "-loss"})
    assert "trivial baseline" not in say(tmp_path)[1]
    write_run(tmp_path / "c", {"loss": 2.5}, optim__lr=2.0, result=more)
    assert "(unigram, val/loss 2.0000): 2" in say(tmp_path)[1]
