"""Config values against annotations, and what messages say of both."""

from typing import Any, Literal

import pytest

from zoo.errors import UserError
from zoo.schema import bind, describe_type, matches_type

FITTING = {
    int: [0, -3, 10**9],
    float: [0, 1.5, float("inf")],
    bool: [True, False],
    str: ["", "a"],
    int | None: [None, 3],
    float | None: [None, 3, 0.1],
    Literal["a", 3]: ["a", 3],
    list[float]: [[], [1, 0.5]],
    list[str] | None: [None, [], ["a"]],
    tuple[float, ...]: [[0.9, 0.999], (1, 2)],
    tuple[str, int]: [["a", 1], ("", 0)],
    list[float] | Literal["balanced"] | None: [None, "balanced", [1.0]],
    dict[str, Any] | None: [None, {}, {"a": [1]}],
    dict[str, str]: [{"a": "b"}],
    Any: [1, "a", None, [1], {}],
}


MISFITS = {
    int: [True, 1.0, "1", None, [1]],
    float: [True, "1e-3", None, [0.1]],
    bool: [0, 1, "true", None],
    str: [1, None, True, ["a"]],
    int | None: ["null", 1.5, True],
    float | None: ["x", True],
    Literal["a", 3]: ["b", 4, None],
    list[float]: [None, 0.5, "ab", ["a"], [0.1, None], [True]],
    list[str] | None: ["a", [1]],
    tuple[float, ...]: [0.9, ["a", "b"], [None]],
    tuple[str, int]: [["a"], ["a", 1, 1], ["a", "b"], "a1"],
    dict[str, Any] | None: ["a:1", 3, []],
    dict[str, str]: [{"a": 1}, None],
    list[float] | Literal["balanced"] | None: ["other", [True], 3],
}


def cases(table):
    return [(value, kind) for kind, values in table.items() for value in values]


@pytest.mark.parametrize(("value", "annotation"), cases(FITTING), ids=str)
def test_values_of_the_annotated_type(value, annotation):
    assert matches_type(value, annotation)


@pytest.mark.parametrize(("value", "annotation"), cases(MISFITS), ids=str)
def test_values_of_another_type(value, annotation):
    assert not matches_type(value, annotation)
    assert describe_type(annotation)


def test_types_are_described():
    assert describe_type(int | None) == "int or null"
    assert describe_type(Literal["relu", "gelu"]) == "one of relu, gelu"
    assert describe_type(tuple[float, ...]) == "a list of float"
    assert describe_type(tuple[str, int]) == "a list of str, int"


def test_a_type_that_only_type_checkers_know():
    namespace: dict[str, Any] = {"__name__": "mine"}
    exec("from __future__ import annotations\ndef f(a: Size): ...", namespace)
    with pytest.raises(UserError, match=r"mine.f: an option's type is not known \(name 'Size' is"):
        bind(namespace["f"], {}, {}, "k", "f")


def test_bind_reads_postponed_annotations():
    namespace: dict[str, Any] = {}
    exec("from __future__ import annotations\ndef f(a: int, b: float = 1.0): ...", namespace)
    with pytest.raises(UserError, match="expected int"):
        bind(namespace["f"], {"a": "x"}, {}, "k", "f")
