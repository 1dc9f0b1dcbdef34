"""Tables of text that fit the terminal."""

from zoo.text_table import text_table


def test_tables_wrap_to_the_width():
    rows = [("name", "figure", "what"), ("a", "1.5", "some words that take room"), ("b", "22", "x")]
    wide, narrow = text_table(rows, 100), text_table(rows, 30)
    assert wide.splitlines()[1] == "a        1.5  some words that take room"
    assert len(wide.splitlines()) == 3 and len(narrow.splitlines()) > 3
    assert max(map(len, narrow.splitlines())) <= 30
    assert "".join(narrow.split()) == "".join(wide.split())


def test_words_are_broken_last_and_those_of_the_first_column_last_of_all():
    rows = [("recipe", "expects", "measured"), ("gpt_of_a_long_name", "test/bits_per_byte >= 1.5",
            "0.4774±0.0201 (3)")]  # fmt: skip
    for width, second in ((58, "test/bits_per_byte"), (48, "test/bits_"), (40, "test/")):
        lines = text_table(rows, width).splitlines()
        assert lines[1].split()[:2] == ["gpt_of_a_long_name", second], lines
        assert max(map(len, lines)) <= width
    assert "0.4774" in lines[1].split() and "±0.0201" in lines[2].split()
    assert all(len(line) <= 24 for line in text_table(rows, 24).splitlines())
    path = [("input", "class"), ("/data/" + "x" * 60, "a cat or a dog")]
    assert text_table(path, 60).splitlines()[1].endswith("a cat or a dog")
