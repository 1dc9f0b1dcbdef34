"""Seeds are added to two runs until one is better; what is asked for, and a real comparison."""

import json

import forked
import pytest
from support import write_run

from zoo.commands import compare as main
from zoo.commands.decide import Decider, find_arm
from zoo.compare.sequential import FIRST


@pytest.fixture
def say(capsys):
    """Run it: exit code, output, errors."""

    def run(*arguments):
        code = main.main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return run


def arms(folder, first, second):
    """Two arms with the figures of some seeds."""
    for name, figures in (("a", first), ("b", second)):
        for seed, figure in figures.items():
            settings = {"seed": seed, "optim__lr": 0.1 if name == "a" else 0.2}
            write_run(folder / f"{name}{seed}", figure, 0.5, typed=[f"seed={seed}"], **settings)
    runs = [str(folder / f"{name}{next(iter(f))}") for name, f in (("a", first), ("b", second))]
    return find_arm(runs[0]), find_arm(runs[1])


def asked(decider, folder, figures):
    """The runs that it asks for, each of which ends with the figure of its arm."""
    trials = []
    decider.folder = folder / "sweep"
    while trial := decider.ask(trials):
        trials.append(trial)
        name, seed = trial.name.split(",seed=")
        figure, lr = figures[name](int(seed)), 0.1 if name == "A" else 0.2
        if figure is not None:
            write_run(decider.folder / trial.name, figure, seed=int(seed), optim__lr=lr)
        decider.tell(trial, figure, None, False)
    return [trial.name for trial in trials]


def test_seeds_are_paired_first_and_none_is_begun_that_the_budget_cannot_pair(tmp_path):
    first, second = arms(tmp_path, {0: 0.5, 3: 0.6}, {0: 0.51, 5: 0.6})
    decider = Decider((first, second), "val/accuracy", 1e-9, budget=5)
    luck = {1: 0.3, 2: 0.8, 3: 0.5, 5: 0.9}
    names = asked(decider, tmp_path, {"A": luck.get, "B": lambda seed: 1.1 - luck[seed]})
    assert names == ["B,seed=3", "A,seed=5", "A,seed=1", "B,seed=1"]
    assert decider.decision is None and decider.shared == [0, 1, 3, 5]


def test_it_stops_when_one_is_better(tmp_path):
    pair = arms(tmp_path, {0: 0.5}, {0: 0.2})
    decider = Decider(pair, "val/accuracy", None, budget=20)
    figures = {"A": lambda seed: 0.5 + 0.01 * seed, "B": lambda seed: 0.2 + 0.011 * seed}
    names = asked(decider, tmp_path, figures)
    assert decider.decision == "A" and len(names) == 2 * (FIRST - 1)
    assert names[-1] == "B,seed=2"


def test_it_stops_when_they_are_equal_to_within_the_margin(tmp_path):
    pair = arms(tmp_path, {0: 0.5}, {0: 0.5003})
    decider = Decider(pair, "val/accuracy", 0.02, budget=20)
    figures = {"A": lambda seed: 0.5 + 0.01 * seed, "B": lambda seed: 0.5001 + 0.01 * seed}
    asked(decider, tmp_path, figures)
    assert decider.decision == "equal"


def test_a_run_that_fails_ends_it(tmp_path):
    pair = arms(tmp_path, {0: 0.5}, {0: 0.2})
    decider = Decider(pair, "val/accuracy", None, budget=20)
    names = asked(decider, tmp_path, {"A": lambda seed: 0.5, "B": lambda seed: None})
    assert decider.failed == names[-1] == "B,seed=1" and decider.decision is None


def test_other_seeds_of_the_setting_are_found_next_to_the_run(tmp_path):
    first, _ = arms(tmp_path, {0: 0.5, 1: 0.6, 7: 0.7}, {0: 0.2})
    assert sorted(first.runs) == [0, 1, 7] and first.home == tmp_path


MISTAKES = {
    "one setting twice": (["{0}/a0", "{0}/a1"], "A and B have the same settings"),
    "a folder of both": (["{0}", "{0}/a0"], "it holds runs of 2 settings; name one run of those"),
    "the test split": (["{0}/a0", "{0}/b0", "--metric", "test/accuracy"], "decides by validation"),
    "no such metric": (["{0}/a0", "{0}/b0", "--metric", "val/f1"], "A has no val/f1"),
    "a third": (["{0}/a0", "{0}/b0", "--csv"], "compares two runs, and takes no --csv"),
    "a budget": (["{0}/a0", "{0}/b0", "--budget", "-1"], "--budget: invalid number above 0"),
    "a word": (["{0}/a0", "{0}/b0", "--json", "x"], "takes two runs, and no 'x'"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_one_line(tmp_path, say, arguments, said):
    arms(tmp_path, {0: 0.5, 1: 0.6}, {0: 0.2})
    code, out, err = say("--decide", *(word.format(tmp_path) for word in arguments))
    assert code == 2 and said in err and len(err.splitlines()) == 1 and not out
    assert not list(tmp_path.glob("*/sweep.json")), "nothing was begun"


def test_runs_of_other_files_are_not_decided(tmp_path, say):
    for name in ("a", "b"):
        write_run(tmp_path / name, 0.5, data__path=f"{name}.csv")
    error = say("--decide", tmp_path / "a", tmp_path / "b")[2]
    assert "val/accuracy of A and B cannot be compared: data.path=a.csv and data.path=b" in error


def test_a_budget_needs_two_runs(tmp_path, say):
    assert "--budget is for --decide" in say(tmp_path, "--budget", "3")[2]


def test_code_of_the_runs_own_is_not_imported_unasked(tmp_path, say):
    for name, lr in (("a", 0.1), ("b", 0.2)):
        write_run(tmp_path / name, 0.5, optim__lr=lr, typed=["plugins=[mine]"])
    err = say("--decide", tmp_path / "a", tmp_path / "b")[2]
    assert "imported only on request: if you trust it, add 'plugins=[mine]'" in err


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """Two learning rates of a real recipe, one of them too small to learn; and the output."""
    outputs = tmp_path_factory.mktemp("decide")
    typed = ["experiment=mlp_rain", "trainer.max_steps=150", "trainer.eval_steps=150"]
    typed += ["model.width=16", "trainer.precision=fp32", "trainer.device=cpu"]
    from zoo.commands import train

    sweep = ["-m", *typed, "optim.lr=0.05,0.0001", "seed=1", f"output_dir={outputs}"]
    assert forked.call(outputs / "log", train.main, sweep) == 0
    (runs,) = outputs.glob("*/*/sweep.json")
    named = [str(runs.parent / f"lr={lr}") for lr in ("0.05", "0.0001")]
    arguments = ["--decide", *named, "--budget", "12", "--metric", "val/loss"]
    code = forked.call(outputs / "said", main.main, arguments)
    return outputs, arguments, code, (outputs / "said").read_text()


def test_real_runs_are_added_until_decided(decided):
    outputs, _, code, said = decided
    (file,) = outputs.glob("*/*/decide.json")
    seeds = {path.parent.name for path in file.parent.glob("*/result.json")}
    assert code == 0 and {"A,seed=2", "B,seed=2", "A,seed=3", "B,seed=3"} <= seeds, said
    assert "verdict   A is better than B: A " in said, said
    assert said.count("test/loss") == 1, "once, at the end"


def test_once_decided_the_command_trains_no_more(decided, say):
    outputs, arguments, _, _ = decided
    before = sorted(outputs.rglob("result.json"))
    code, out, _ = say(*arguments, "--json")
    content = json.loads(out)
    assert code == 0 and content["decision"] == "A" and content["pairs"] >= 3
    assert content["interval"][0] > 0 and content["arms"]["A"]["test"] > 0
    assert sorted(outputs.rglob("result.json")) == before
