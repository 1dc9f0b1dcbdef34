"""Tables of text that fit the terminal."""

from zoo.text_table import text_table


def test_tables_wrap_to_the_width():
    rows = [("name", "figure", "what"), ("a", "1.5", "some words that take room"), ("b", "22", "x")]
    wide, narrow = text_table(rows, 100), text_table(rows, 30)
    assert wide.splitlines()[1] == "a        1.5  some words that take room"
    assert len(wide.splitlines()) == 3 and len(narrow.splitlines()) > 3
    assert max(map(len, narrow.splitlines())) <= 30
    assert "".join(narrow.split()) == "".join(wide.split())
