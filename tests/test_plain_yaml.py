"""YAML files from elsewhere: plain values, within bounds, or one line."""

import pytest
import yaml

from zoo.plain_yaml import load_plain

LEVELS = "abcdefghi"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip(LEVELS, LEVELS[1:])
)


def test_what_a_config_holds_is_read_back():
    values = {
        "name": "5", "lr": 1e-05, "flag": True, "none": None, "list": [1, "a", 0.5],
        "text": ["1e3", "2024-01-01", "null", "on", "${oc.env:HOME}", "*.txt", "a: b", "é\n"],
    }  # fmt: skip
    assert load_plain(yaml.safe_dump(values)) == values
    shared = [1, 2]
    assert load_plain(yaml.safe_dump({"a": shared, "b": shared})) == {"a": shared, "b": shared}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "more than 100,000 values"),
        ("[" * 200_000, "more than 50 deep"),
        ("{a: " * 60 + "1" + "}" * 60, "more than 50 deep"),
        ("a: &a [*a]", "stands for a value that holds it"),
        ("!!python/object/apply:os.system ['x']", "constructor for the tag"),
        ("a: !!timestamp x", ""),
        ("{a: 1", "flow mapping"),
        ("a: \0", "control characters"),
        ("? [a]\n: 1", "unhashable"),
    ],
)
def test_all_else_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        load_plain(text)


def test_a_path_that_is_not_utf8_comes_back():
    text = yaml.safe_dump({"path": "caf\udce9", "name": "猫"})
    assert load_plain(text) == {"path": "caf\udce9", "name": "猫"}
