"""Rows of JSON: lines or a list, each with its place."""

import pytest

from zoo.data.text.json_rows import read_rows
from zoo.errors import UserError


def test_lines_and_lists_are_read_with_their_places():
    assert read_rows('{"a": 1}\n\n3\n', "f") == [("f:1", {"a": 1}), ("f:3", 3)]
    assert read_rows('[{"a": 1},\n3]', "f") == [("f, entry 1", {"a": 1}), ("f, entry 2", 3)]


@pytest.mark.parametrize("text", ["", "\n", "[]"])
def test_no_row_is_refused(text):
    with pytest.raises(UserError, match="f: the file is empty"):
        read_rows(text, "f")


def test_what_is_no_json_is_refused_with_its_place():
    with pytest.raises(UserError, match="f:2: not JSON"):
        read_rows("1\n{\n", "f")
    with pytest.raises(UserError, match="f: not JSON"):
        read_rows("[1", "f")
    with pytest.raises(UserError, match=r"f: one JSON object over .*; of 'b': jq -c '.b\[\]' f"):
        read_rows('{"a": 1,\n"b": [{"prompt": "x"}]}\n', "f")


def test_a_key_that_stands_twice_is_refused_with_its_place():
    with pytest.raises(UserError, match="f:2: the key 'label' stands twice"):
        read_rows('{"label": 1}\n{"label": 1, "label": 2}\n', "f")
    with pytest.raises(UserError, match="f, entry 2: the key 'label' stands twice"):
        read_rows('[{"label": 1},\n{"label": 1, "label": 2}]', "f")
