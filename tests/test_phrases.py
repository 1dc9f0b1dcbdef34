"""Numbers with what they count, parts of a whole, the first of many."""

from zoo.phrases import first_few, part_of, plural


def test_one_is_singular():
    assert [plural(n, "row") for n in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]
    assert [plural(n, "class", "classes") for n in (1, 2)] == ["1 class", "2 classes"]


def test_a_part_of_one_is_the_whole():
    assert [part_of(1, n, "row") for n in (1, 2)] == ["the row", "1 of 2 rows"]


def test_the_first_of_many():
    assert [first_few(range(n), 2) for n in (0, 2, 3)] == ["", "0, 1", "0, 1, ..."]
