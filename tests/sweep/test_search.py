"""Search: what is suggested, in what order, what is pruned, and that it can be resumed."""

import json
import os
import signal
import time

import forked
import killed
import optuna
import pytest

from zoo.errors import UserError
from zoo.runs.settings import format_value
from zoo.sweep.prune import Curve
from zoo.sweep.search import Search, SearchPlan

TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32", "sweep.method=tpe",
)  # fmt: skip
RATE = "optim.lr=tag(log,interval(1e-4,1))"


def trials(folder):
    return json.loads((folder / "sweep.json").read_text())["members"]


def overrides(folder):
    return [dict(o.split("=", 1) for o in m["overrides"]) for m in trials(folder)]


def results(folder):
    return [json.loads((folder / m["name"] / "result.json").read_text()) for m in trials(folder)]


def optuna_trials(folder):
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder / 'study.db'}")
    return study.get_trials()


def test_trials_are_sampled_from_the_ranges(sweep, train):
    code, said = sweep(
        *TINY, RATE, "model.width=int(interval(2,9))", "model.depth=range(1,4)", "optim=adamw,sgd",
        "sweep.trials=5",
    )  # fmt: skip
    assert code == 0 and "5 of 5 done" in said, said
    chosen = overrides(sweep.folder())
    for values in chosen:
        assert 1e-4 <= float(values["optim.lr"]) <= 1 and 2 <= int(values["model.width"]) <= 9
        assert values["model.depth"] in "123" and values["optim"] in ("adamw", "sgd")
    assert len({values["optim.lr"] for values in chosen}) == 5
    for trial, result in zip(optuna_trials(sweep.folder()), results(sweep.folder()), strict=True):
        assert trial.value == result["best"]["accuracy"]
    trial = trials(sweep.folder())[3]
    single = train(*trial["overrides"]).path
    metrics = (sweep.folder() / trial["name"] / "metrics.jsonl").read_text()
    assert (single / "metrics.jsonl").read_text() == metrics


def test_a_space_with_conditions(sweep):
    common = (*TINY, "sweep=optimizer", "sweep.method=random", "sweep.trials=8")
    code, said = sweep(*common, "sweep.prune=null", "optim=choice(sgd,adamw)", "optim.lr=0.01")
    assert code == 0, said
    chosen = overrides(sweep.folder())
    assert {values["optim"] for values in chosen} == {"sgd", "adamw"}
    for values in chosen:
        assert values["optim.lr"] == "0.01", "the command line comes first"
        assert ("optim.momentum" in values) == (values["optim"] == "sgd")
        assert ("optim.weight_decay" in values) == (values["optim"] == "adamw")


def study(folder, method, seed, score, number):
    """The scores and overrides of a search whose scores a function gives, without runs."""
    typed = (
        "experiment=mlp_rain", "optim.lr=interval(0,1)", "optim.weight_decay=interval(0,1)",
        "model.activation=relu,silu,tanh,gelu",
    )  # fmt: skip
    folder.mkdir()
    search = Search(folder, SearchPlan(method, number, seed, typed, {}, {}))
    tried, scores = [], []
    for _ in range(number):
        tried.append(search.ask(tried))
        scores.append(score(dict(o.split("=", 1) for o in tried[-1].overrides)))
        search.tell(tried[-1], scores[-1], Curve(folder), False)
    return scores, [trial.overrides for trial in tried]


def test_tpe_finds_what_random_does_not_and_its_seed_repeats_it(tmp_path):
    """A peak over two numbers and a choice: the best of 25, and the mean of the last ten."""

    def score(values):
        distance = abs(float(values["optim.lr"]) - 0.3)
        distance += abs(float(values["optim.weight_decay"]) - 0.7)
        return -distance - (values["model.activation"] != "silu")

    late_scores, chosen = {}, {}
    for method, seed in (("random", 0), ("tpe", 0), ("tpe", 1)):
        scores, tried = study(tmp_path / f"{method}{seed}", method, seed, score, 25)
        late_scores[method, seed], chosen[method, seed] = sum(scores[-10:]) / 10, tried
    assert late_scores["tpe", 0] > 0.6 * late_scores["random", 0], late_scores
    assert late_scores["tpe", 1] > 0.6 * late_scores["random", 0], late_scores
    assert chosen["tpe", 0][:5] != chosen["tpe", 1][:5]
    again = study(tmp_path / "again", "tpe", 0, score, 12)[1]
    assert again == chosen["tpe", 0][:12], "its seed decides"


RANGES = {
    "trainer.ema": ("interval(0.9991,0.9999)", 0.9991, 0.9999),
    "model.dropout": ("tag(log,interval(0.9991,0.9999))", 0.9991, 0.9999),
    "optim.eps": ("interval(1e-9,1e-8)", 1e-9, 1e-8),
    "optim.lr": ("tag(log,interval(1e-9,1e-1))", 1e-9, 1e-1),
    "optim.weight_decay": ("interval(-1.0005,-1)", -1.0005, -1),
    "trainer.clip": ("interval(1e10,1.0001e10)", 1e10, 1.0001e10),
    "trainer.max_minutes": ("interval(0.1234567,0.1234568)", 0.1234567, 0.1234568),
}


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_narrow_range_is_searched_inside_and_told_as_run(tmp_path, method):
    """All values differ, spread over the range, and are the ones that the study holds."""
    typed = ("experiment=mlp_rain", *(f"{key}={text}" for key, (text, *_) in RANGES.items()))
    search = Search(tmp_path, SearchPlan(method, 13, 0, typed, {}, {}))
    tried = []
    for number in range(13):
        tried.append(search.ask(tried))
        search.tell(tried[-1], float(number % 5), Curve(tmp_path), False)
    chosen = [dict(o.split("=") for o in trial.overrides) for trial in tried]
    for key, (_, low, high) in RANGES.items():
        run = [float(values[key]) for values in chosen]
        assert all(low <= value <= high for value in run) and len(set(run)) > 10, (key, run)
        assert max(run) - min(run) > 0.05 * (high - low), (key, run)
        assert max(len(values[key]) for values in chosen) < 15, key
        assert [t.params[key] for t in search.study.get_trials()] == run
        told_apart = {format_value(value) for value in run}
        assert len(told_apart) == len(set(run)), "in tables"


def test_a_space_that_is_exhausted_ends_the_search(sweep):
    code, said = sweep(*TINY, "model.width=4,8", "sweep.trials=20")
    assert code == 0, said
    assert sorted(values["model.width"] for values in overrides(sweep.folder())) == ["4", "8"]
    assert "2 of 2 done" in said
    assert [t.state.name for t in optuna_trials(sweep.folder())].count("COMPLETE") == 2, (
        "both were reported"
    )


def test_trials_that_fall_behind_are_pruned(sweep):
    """Rates near zero do not learn; with one trial at a time the good ones come first."""
    code, said = sweep(
        "experiment=mlp_digits", "trainer.max_steps=1000", "trainer.precision=fp32",
        "trainer.device=cpu", "trainer.eval_steps=10", "sweep.slots=1", "sweep.prune=halving",
        "optim.lr=3e-3,4e-3,5e-3,1e-7,2e-7", "sweep.prune_after=1",
    )  # fmt: skip
    assert code == 0, said
    status = {
        m["name"]: (r["status"], r["steps"])
        for m, r in zip(trials(sweep.folder()), results(sweep.folder()), strict=True)
    }
    for rate in ("1e-07", "2e-07"):
        ended, steps = status[f"lr={rate}"]
        assert ended == "pruned" and steps < 1000
    assert sum(ended == "done" for ended, _ in status.values()) >= 1
    pruned = sum(ended == "pruned" for ended, _ in status.values())
    assert f"{pruned} pruned" in said and said.count("\npruned  ") == pruned
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "5, 5 done before" in said, "pruned ones stay so"


def test_a_killed_search_is_resumed(sweep, tmp_path):
    options = (RATE, "sweep.trials=6", "sweep.slots=2", "trainer.max_steps=40")
    output = f"output_dir={sweep.outputs}"
    process = forked.start(tmp_path / "first", killed.train, ["-m", *TINY, *options, output])
    for _ in range(1200):
        if len(list(sweep.outputs.glob("*/*/*/result.json"))) >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = trials(sweep.folder())
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "6 of 6 done" in said, said
    assert trials(sweep.folder())[: len(before)] == before
    scores = {m["trial"]: r["best"]["accuracy"] for m, r in _both(sweep.folder())}
    known = {t.number: t.value for t in optuna_trials(sweep.folder()) if t.state.name == "COMPLETE"}
    assert known == scores, "nothing lost, nothing twice"
    code, said = sweep(f"sweep.resume={sweep.folder()}", "sweep.trials=7")
    assert code == 0 and "7 of 7 done" in said and len(trials(sweep.folder())) == 7


def _both(folder):
    return zip(trials(folder), results(folder), strict=True)


def test_failed_trials_do_not_end_it(sweep):
    code, said = sweep(*TINY, "optim=sgd", "optim.lr=0.01,1e30,2e30", "sweep.trials=3")
    assert code == 1 and "1 of 3 done" in said and ", 2 failed" in said, said
    assert [t.state.name for t in optuna_trials(sweep.folder())].count("FAIL") >= 2


def test_a_failed_trial_that_succeeds_on_resuming_is_told_once(tmp_path):
    typed = ("experiment=mlp_rain", "optim.lr=interval(0,1)")
    plan = SearchPlan("tpe", 4, 0, typed, {}, {})
    search, good, pruned = Search(tmp_path, plan), Curve(tmp_path), Curve(tmp_path)
    good.bests, pruned.bests = [0.1, 0.6], [0.2]
    tried = [search.ask([])]
    tried.append(search.ask(tried))
    for trial in tried:
        search.tell(trial, None, Curve(tmp_path), False)
    search = Search(tmp_path, plan)
    search.forget(tried)
    for _ in range(2):  # when it ends, and when the search is resumed once more
        search.tell(tried[0], 0.6, good, False)
        search.tell(tried[1], 0.2, pruned, True)
    assert search.ask(tried).overrides not in {trial.overrides for trial in tried}
    lr = [float(trial.overrides[1].partition("=")[2]) for trial in tried]
    known = [(t.state.name, t.value, t.params["optim.lr"]) for t in optuna_trials(tmp_path)]
    assert known[:2] == [("FAIL", None, rate) for rate in lr]
    assert known[2][:2] == ("COMPLETE", 0.6) and known[2][2] == lr[0]
    assert known[3][0] == "PRUNED" and known[3][2] == lr[1]
    assert [state for state, _, _ in known[4:]] == ["RUNNING"]
    assert optuna_trials(tmp_path)[2].intermediate_values == {1: 0.1, 2: 0.6}


TOKENS = ("experiment=gpt_stdlib", "data.vocab_size=300,400")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["model=mlp", "data=rain,iris"], "trials on rain and iris cannot be compared"),
        (["model=mlp", "data=csv", "data.path=a.csv,b.csv"], "trials on other data.path cannot"),
        (TOKENS, "data.vocab_size by the length of its tokens"),
        ((*TOKENS, "task.monitor=-bits_per_byte"), None),
    ],
)
def test_trials_that_cannot_be_compared_are_not_searched(typed, said):
    plan = SearchPlan("tpe", 3, 0, typed, {}, {})
    assert plan.read()[0].always, "one that has begun goes on"
    if said is None:
        assert plan.read(is_new=True)[0].always
        return
    with pytest.raises(UserError, match=said):
        plan.read(is_new=True)


def test_the_time_of_a_sweep_is_limited(sweep):
    code, said = sweep(
        *TINY, RATE, "trainer.max_steps=100000", "sweep.max_minutes=0.06", "sweep.slots=1",
    )  # fmt: skip
    assert code == 0 and "30 left" in said and "sweep.resume=" in said, said
    assert [r["status"] for r in results(sweep.folder())] == ["interrupted"]


def test_resume_may_not_change_the_seed(sweep):
    assert sweep(*TINY, RATE, "sweep.trials=1")[0] == 0
    code, said = sweep(f"sweep.resume={sweep.folder()}", "sweep.seed=3")
    assert code == 2 and "'sweep.seed=3' would change it" in said
