"""Which settings differ, their short names, their format."""

from zoo.runs.settings import differing, flat, format_value, identity, short_names


def test_only_settings_that_affect_the_result_count():
    config = {"seed": 1, "name": "a", "data": {"root": "d", "name": "rain"}, "expect": {"x": 1}}
    assert flat(config | {"optim": {"betas": [0.9, 0.99]}}) == {
        "data.name": "rain", "optim.betas": [0.9, 0.99],
    }  # fmt: skip


def test_equal_numbers_are_equal_whatever_their_type():
    assert identity(0) == identity(0.0) and identity([1, 2]) == identity((1.0, 2))
    assert identity(1) != identity(True) and identity(None) != identity("x")
    assert differing([{"a": 0}, {"a": 0.0}]) == []


def test_what_follows_from_a_choice_is_left_out_unless_it_was_typed():
    adam = {"optim.name": "adam", "optim.lr": 0.1, "optim.betas": [0.9]}
    sgd = {"optim.name": "sgd", "optim.lr": 0.5, "model.width": 4}
    runs = [adam | {"model.width": 8}, sgd]
    assert differing(runs) == ["optim.name", "model.width"]
    assert differing(runs, {"optim.lr"}) == ["optim.name", "optim.lr", "model.width"]
    runs.append(adam | {"model.width": 8, "optim.lr": 0.2})
    assert "optim.lr" in differing(runs), "one optimizer, two rates"


def test_names_are_as_short_as_they_can_be():
    names = ["optim.lr", "model.width", "data.width", "optim.name"]
    short = {"optim.lr": "lr", "model.width": "model.width", "data.width": "data.width"}
    assert short_names(names) == short | {"optim.name": "optim"}
    assert short_names(["model.runs"], ["runs"]) == {"model.runs": "model.runs"}


def test_no_digit_is_lost():
    for value in (0.1, 1e-8, 0.1234567891234, 3, 1e22):
        assert float(format_value(value)) == value
    assert format_value([1, 0.5, None, True]) == "[1,0.5,null,true]"
