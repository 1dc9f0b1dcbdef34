"""Bounds of options, and that builders refuse what lies outside of theirs."""

import math

import pytest

from zoo.bounds import AboveZero, Bound, Fraction, NotNegative, Positive
from zoo.config import groups
from zoo.errors import UserError
from zoo.registry import ADAPTERS, MODELS, OPTIMIZERS, SCHEDULES
from zoo.schema import matches_type, out_of_bounds, parameters

REGISTRIES = (MODELS, OPTIMIZERS, SCHEDULES, ADAPTERS)


@pytest.mark.parametrize(
    ("annotation", "inside", "outside", "said"),
    [
        (Positive, [1, 10**30], [0, -1], "1 or more"),
        (Fraction, [0, 0.5, 0.999], [-0.1, 1, 1.0, math.nan, math.inf], "0 to below 1"),
        (AboveZero, [1e-300, 1e300], [0, -1, math.inf, math.nan], "above 0"),
        (NotNegative | None, [None, 0, 3.5], [-1e-9], "0 or more"),
        (tuple[Fraction, ...], [[0.9, 0.99], []], [[0.9, 1]], "each 0 to below 1"),
        (float, [-1e300], [math.nan, math.inf], "a finite number"),
        (list[float] | None, [None, [1]], [[1, math.nan]], "each a finite number"),
        (str, ["nan"], [], ""),
    ],
    ids=str,
)
def test_values_inside_and_outside(annotation, inside, outside, said):
    for value in (*inside, *outside):
        assert matches_type(value, annotation)
    assert [out_of_bounds(value, annotation) for value in inside] == [None] * len(inside)
    assert [out_of_bounds(value, annotation) for value in outside] == [said] * len(outside)


def test_bounds_are_said():
    assert str(Bound(least=0, most=2)) == "0 to 2" and str(Bound(above=1)) == "above 1"


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_no_builder_takes_nonsense(registry):
    """Every number of every YAML file of ours has a bound, and its own value lies inside."""
    for name in groups.choices(registry.kind):
        config = groups.read_yaml(groups.config_file(registry.kind, name))
        schema = parameters(registry[name].builder)
        for option, value in config.items():
            if option in schema and isinstance(value, int | float) and not isinstance(value, bool):
                kind = schema[option].annotation
                assert out_of_bounds(value, kind) is None, (name, option)
                refuses = out_of_bounds(-1, kind) or option in ("warmup", "decay")
                assert refuses, f"{registry.kind}={name}: {option} takes -1"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"name": "mlp", "width": 0}, "model.width: got 0, expected 1 or more"),
        ({"name": "mlp", "dropout": 1.0, "depth": -1}, "model.depth: got -1, expected 0 or more"),
    ],
)
def test_a_mistake_is_said_as_it_is_typed(config, said):
    with pytest.raises(UserError) as caught:
        MODELS.arguments(config)
    assert said in str(caught.value)
