"""Search: what is chosen, in what order, what is pruned, and that it goes on after a stop."""

import json
import os
import re
import signal
import time

import forked
import optuna
import pytest

from zoo.commands import train as cli
from zoo.config import compose
from zoo.config import groups as configs
from zoo.sweep.prune import Curve
from zoo.sweep.search import Search, SearchPlan

TINY = (
    "experiment=mlp_rain", "trainer.max_steps=4", "trainer.eval_steps=2", "trainer.device=cpu",
    "trainer.precision=fp32", "sweep.method=tpe",
)  # fmt: skip
RATE = "optim.lr=tag(log,interval(1e-4,1))"


def members(folder):
    return json.loads((folder / "sweep.json").read_text())["members"]


def overrides(folder):
    return [dict(o.split("=", 1) for o in m["overrides"]) for m in members(folder)]


def results(folder):
    return [json.loads((folder / m["name"] / "result.json").read_text()) for m in members(folder)]


def trials(folder):
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{folder / 'study.db'}")
    return study.get_trials()


def test_members_are_drawn_from_the_ranges(sweep, train):
    code, said = sweep(
        *TINY, RATE, "model.width=int(interval(2,9))", "model.depth=range(1,4)", "optim=adamw,sgd",
        "sweep.trials=5",
    )  # fmt: skip
    assert code == 0 and "5 of 5 done" in said, said
    for one in overrides(sweep.folder()):
        assert 1e-4 <= float(one["optim.lr"]) <= 1 and 2 <= int(one["model.width"]) <= 9
        assert one["model.depth"] in "123" and one["optim"] in ("adamw", "sgd")
    assert len({one["optim.lr"] for one in overrides(sweep.folder())}) == 5
    for trial, result in zip(trials(sweep.folder()), results(sweep.folder()), strict=True):
        assert trial.value == result["best"]["accuracy"]
    alone = train(*members(sweep.folder())[3]["overrides"]).path
    found = sweep.folder() / members(sweep.folder())[3]["name"]
    assert (alone / "metrics.jsonl").read_text() == (found / "metrics.jsonl").read_text()


def test_a_space_with_conditions(sweep):
    common = (*TINY, "sweep=optimizer", "sweep.method=random", "sweep.trials=8")
    code, said = sweep(*common, "sweep.prune=null", "optim=choice(sgd,adamw)", "optim.lr=0.01")
    assert code == 0, said
    chosen = overrides(sweep.folder())
    assert {one["optim"] for one in chosen} == {"sgd", "adamw"}
    for one in chosen:
        assert one["optim.lr"] == "0.01", "what is typed comes first"
        assert ("optim.momentum" in one) == (one["optim"] == "sgd")
        assert ("optim.weight_decay" in one) == (one["optim"] == "adamw")


def study(folder, method, seed, score, number):
    """Scores of what is tried where no run is needed to know them, and what was tried."""
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
    return scores, [one.overrides for one in tried]


def test_tpe_finds_what_random_does_not_and_repeats_itself(tmp_path):
    """A peak over two numbers and a choice: the best of 25, and the mean of the last ten."""

    def score(one):
        far = abs(float(one["optim.lr"]) - 0.3) + abs(float(one["optim.weight_decay"]) - 0.7)
        return -far - (one["model.activation"] != "silu")

    found, chosen = {}, {}
    for method, seed in (("random", 0), ("tpe", 0), ("tpe", 1)):
        scores, tried = study(tmp_path / f"{method}{seed}", method, seed, score, 25)
        found[method, seed], chosen[method, seed] = sum(scores[-10:]) / 10, tried
    assert found["tpe", 0] > 0.6 * found["random", 0], found
    assert found["tpe", 1] > 0.6 * found["random", 0], found
    assert chosen["tpe", 0][:5] != chosen["tpe", 1][:5]
    again = study(tmp_path / "again", "tpe", 0, score, 12)[1]
    assert again == chosen["tpe", 0][:12], "its seed decides"


def test_a_space_that_is_exhausted_ends_the_search(sweep):
    code, said = sweep(*TINY, "model.width=4,8", "sweep.trials=20")
    assert code == 0, said
    assert sorted(one["model.width"] for one in overrides(sweep.folder())) == ["4", "8"]
    assert "2 of 2 done" in said
    assert [t.state.name for t in trials(sweep.folder())].count("COMPLETE") == 2, "both were told"


def test_hopeless_members_are_ended(sweep):
    """Rates near zero do not learn; with one member at a time the good ones come first."""
    code, said = sweep(
        "experiment=mlp_digits", "trainer.max_steps=1000", "trainer.precision=fp32",
        "trainer.device=cpu", "trainer.eval_steps=10", "sweep.slots=1", "sweep.prune=halving",
        "optim.lr=3e-3,4e-3,5e-3,1e-7,2e-7", "sweep.prune_after=1",
    )  # fmt: skip
    assert code == 0, said
    status = {
        m["name"]: (r["status"], r["steps"])
        for m, r in zip(members(sweep.folder()), results(sweep.folder()), strict=True)
    }
    for rate in ("1e-07", "2e-07"):
        ended, steps = status[f"lr={rate}"]
        assert ended == "pruned" and steps < 1000
    assert sum(ended == "done" for ended, _ in status.values()) >= 1
    pruned = sum(ended == "pruned" for ended, _ in status.values())
    assert f"{pruned} pruned" in said and said.count("\npruned  ") == pruned
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "5, 5 done before" in said, "pruned ones stay so"


def test_a_search_that_was_killed_goes_on(sweep, tmp_path):
    options = (RATE, "sweep.trials=6", "sweep.slots=2", "trainer.max_steps=40")
    place = f"output_dir={sweep.outputs}"
    process = forked.start(tmp_path / "first", cli.main, ["-m", *TINY, *options, place])
    for _ in range(1200):
        if len(list(sweep.outputs.glob("*/*/*/result.json"))) >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = members(sweep.folder())
    code, said = sweep(f"sweep.resume={sweep.folder()}")
    assert code == 0 and "6 of 6 done" in said, said
    assert members(sweep.folder())[: len(before)] == before
    scores = {m["trial"]: r["best"]["accuracy"] for m, r in _both(sweep.folder())}
    known = {t.number: t.value for t in trials(sweep.folder()) if t.state.name == "COMPLETE"}
    assert known == scores, "nothing lost, nothing twice"
    code, said = sweep(f"sweep.resume={sweep.folder()}", "sweep.trials=7")
    assert code == 0 and "7 of 7 done" in said and len(members(sweep.folder())) == 7


def _both(folder):
    return zip(members(folder), results(folder), strict=True)


def test_failed_members_do_not_end_it(sweep):
    code, said = sweep(*TINY, "optim=sgd", "optim.lr=0.01,1e30,2e30", "sweep.trials=3")
    assert code == 1 and "1 of 3 done" in said and ", 2 failed" in said, said
    assert [t.state.name for t in trials(sweep.folder())].count("FAIL") >= 2


def test_the_time_of_a_sweep_is_limited(sweep):
    code, said = sweep(
        *TINY, RATE, "trainer.max_steps=100000", "sweep.max_minutes=0.06", "sweep.slots=1",
    )  # fmt: skip
    assert code == 0 and "30 left" in said and "sweep.resume=" in said, said
    assert [r["status"] for r in results(sweep.folder())] == ["interrupted"]


@pytest.mark.parametrize("name", [n for n in configs.choices("sweep") if n != "default"])
def test_every_space_fits_the_recipe_that_it_names(name):
    """Each setting, and what belongs to each condition, composes; and it can be chosen from."""
    text = (configs.CONFIG_DIR / "sweep" / f"{name}.yaml").read_text()
    (recipe,) = re.findall(rf"^# python train.py -m experiment=(\w+) sweep={name}$", text, re.M)
    content = configs.read_yaml(configs.CONFIG_DIR / "sweep" / f"{name}.yaml")
    plan = SearchPlan(
        "tpe", 1, 0, [f"experiment={recipe}"], content["space"], content.get("when", {})
    )
    space, _ = plan.read()
    trial = optuna.create_study().ask()
    compose.load([f"experiment={recipe}", *space.suggest(trial)])


SOME = ("experiment=mlp_rain", "sweep.method=tpe")
MISTAKES = {
    "nothing": (SOME, "there is nothing to choose from"),
    "a setting": ((*SOME, "model.widht=1,2"), "did you mean 'model.width'?"),
    "a setting of a range": ((*SOME, "optim.lrr=interval(0,1)"), "did you mean 'optim.lr'?"),
    "a type": ((*SOME, "model.width=interval(8,16)"), "model.width: got 8.0 (float), expected int"),
    "log of zero": ((*SOME, "optim.lr=tag(log,interval(0,1))"), "above 0"),
    "upside down": ((*SOME, "optim.lr=interval(1,0)"), "the lower end first"),
    "an empty range": ((*SOME, "model.depth=range(3,3)"), "nothing in this range"),
    "seeds": ((*SOME, "seed=1,2"), "the luckiest seed"),
    "a method": ((*SOME, "sweep.method=tp"), "one of grid, random, tpe"),
    "a space": ((*SOME, "sweep=mpl"), "did you mean 'mlp'?"),
    "a rule": ((*SOME, RATE, "sweep.prune=hyperband"), "one of median, halving"),
    "no trials": ((*SOME, RATE, "sweep.trials=0"), "sweep.trials=0: expected 1 or more"),
    "what is in a space": (
        (*SOME, "+sweep.space={optim.lr: 0.1}"),
        "sweep.space.optim.lr: got 0.1, expected what to choose from",
    ),
    "a condition": (
        (*SOME, RATE, "+sweep.when={optim=sdg: {optim.momentum: 'interval(0,1)'}}"),
        "cannot read",
    ),
    "conditions in a grid": (
        ("experiment=mlp_rain", "sweep=optimizer", "sweep.method=grid"),
        "sweep.when is for sweep.method=tpe or random",
    ),
    "lists of two lengths": (
        (
            "model=mlp",
            "model.width=4,8",
            "model.depth=1,2,3",
            "sweep.zip=[model.width,model.depth]",
        ),
        "model.width has 2, model.depth has 3",
    ),
    "no list": (("model=mlp", "model.width=4,8", "sweep.zip=[model.dept]"), "in sweep.zip"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(mistake, arguments, said):
    assert said in mistake("-m", *arguments)


def test_what_may_change_when_it_goes_on(sweep):
    assert sweep(*TINY, RATE, "sweep.trials=1")[0] == 0
    code, said = sweep(f"sweep.resume={sweep.folder()}", "sweep.seed=3")
    assert code == 2 and "'sweep.seed=3' would change it" in said
