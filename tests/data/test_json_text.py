"""JSON of people's files: a key that an object has twice."""

import pytest

from zoo.data.json_text import parse_json
from zoo.errors import UserError


def test_values_are_read_as_they_are():
    assert parse_json('[{"a": {"b": 1}}, {"b": 1}, 3]', "f") == [{"a": {"b": 1}}, {"b": 1}, 3]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"label": 1, "text": "a", "label": 2}', "f: the key 'label' stands twice in one object"),
        ('[{"a": 1},\n {"b": [{"c": 1, "c": 1}]}]', "f, row 2: the key 'c' stands twice"),
        ('[{"b": 1}, {"a": {"x": 1, "x": 2}, "a": 3}]', "f, row 2: the key 'a' stands twice"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(text, said):
    with pytest.raises(UserError) as caught:
        parse_json(text, "f", "row")
    assert str(caught.value).startswith(said)
