"""The space of a search: what may stand in it, and that the spaces of configs/sweep fit."""

import re

import optuna
import pytest

from zoo.config import compose
from zoo.config import groups as configs
from zoo.sweep.search import SearchPlan
from zoo.sweep.space import read_space, rounded

RATE = "optim.lr=tag(log,interval(1e-4,1))"


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


def test_what_is_typed_wins_over_the_space_where_any_key_may_be_set():
    typed = [compose.opened("optim.rates.head=2"), "seed=3"]
    rates = {"optim.rates.head": "choice(1,4)", "optim.lr": "choice(0.1,0.2)"}
    space, fixed = read_space(typed, rates, {})
    assert space.keys() == ["optim.lr"] and fixed == typed


SOME = ("experiment=mlp_rain", "sweep.method=tpe")
MISTAKES = {
    "nothing": (SOME, "there is nothing to choose from"),
    "a setting": ((*SOME, "model.widht=1,2"), "did you mean 'model.width'?"),
    "a setting of a range": ((*SOME, "optim.lrr=interval(0,1)"), "did you mean 'optim.lr'?"),
    "a type": ((*SOME, "model.width=interval(8,16)"), "model.width: got 8.0 (float), expected int"),
    "a type among others": ((*SOME, "model.depth=1,2,abc"), "model.depth: got 'abc' (str)"),
    "a choice among others": ((*SOME, "optim=sgd,adamww"), "did you mean 'adamw'?"),
    "log of zero": ((*SOME, "optim.lr=tag(log,interval(0,1))"), "above 0"),
    "log of steps": ((*SOME, "model.width=tag(log,range(2,9,2))"), "expected 1 or more, step 1"),
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
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(mistake, arguments, said):
    assert said in mistake("-m", *arguments)


@pytest.mark.parametrize(
    ("value", "low", "high", "short"),
    [
        (0.0123456, 0, 0.1, 0.0123), (0.99951234, 0.9991, 0.9999, 0.999512), (3.14159, 3, 3, 3),
        (0.99987, 0, 0.9999, 0.9999), (-0.123456, -1, 0, -0.123), (5.4321e-9, 1e-9, 1e-8, 5.43e-9),
        (123456.0, 1, 1e6, 123000.0), (0.10004, 0.1, 0.2, 0.1), (1.5, 1, 2, 1.5),
    ],
)  # fmt: skip
def test_numbers_are_as_short_as_their_range_permits(value, low, high, short):
    assert rounded(value, low, high) == short
