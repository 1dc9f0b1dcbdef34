"""Experts of published weights: options that the families have not, defaults."""

import inspect

import pytest

from zoo.layers.mixture import Mixture
from zoo.weights.llama import LLAMA
from zoo.weights.mixture import DEFAULTS, mixture_of

SIZES = dict(width=16, heads=4, depth=1, vocab_size=9, block_size=8, tie=False, bias="none")


def test_defaults_are_those_of_the_layer():
    parameters = inspect.signature(Mixture).parameters
    assert {n: p.default for n, p in parameters.items() if n != "width"} == DEFAULTS
    for mixture in ({}, dict(active=3, shared=1)):
        inner = mixture_of(dict(width=40, mixture=mixture))["inner"]
        assert inner == Mixture(40, **mixture).down.in_features


@pytest.mark.parametrize(
    ("mixture", "options", "kind", "has"),
    [
        (dict(balance="none"), {}, "mixtral", None),
        (dict(balance="none", normalise=False), dict(qk_norm=True), "qwen3_moe", None),
        (dict(balance="none", normalise=False), {}, "mixtral", "model.mixture.normalise=false"),
        (dict(balance="loss", shared=1), {}, "mixtral", "model.mixture.shared=1"),
        ({}, {}, "mixtral", "model.mixture.balance=bias"),
        (dict(balance="none"), dict(bias="mlp"), "mixtral", "model.bias=mlp"),
    ],
)
def test_which_architecture_has_a_mixture(mixture, options, kind, has):
    settings = SIZES | options | {"mixture": mixture}
    assert LLAMA.config(settings)["model_type"] == kind
    assert [name for name, _ in LLAMA.misfits(settings)] == ([has] if has else [])
