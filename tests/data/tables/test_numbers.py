"""Numbers in the notations that people use, each read as it is meant or not at all."""

import pytest

from zoo.data.tables.numbers import Exact, Notation, find_notation, looks_numeric

COMMA, GROUPED = Notation(","), Notation(grouped=True)


@pytest.mark.parametrize(
    ("notation", "text", "value"),
    [
        (Notation(), "1.5e3", 1500),
        (Notation(), " -7 ", -7),
        (Notation(), "−3", -3),
        (Notation(), "（３．５）", -3.5),
        (Notation(), "1,234", None),
        (Notation(), "2,5", None),
        (Notation(), "1_000", None),
        (Notation(), "inf", None),
        (Notation(), "12 %", None),
        (GROUPED, "1,234.5", 1234.5),
        (GROUPED, "12,34,567", 1234567),
        (GROUPED, "1'234", 1234),
        (GROUPED, "2,5", None),
        (GROUPED, "0,123", None),
        (COMMA, "2,5", 2.5),
        (COMMA, "1.234", 1234),
        (COMMA, Exact("1.234"), 1.234),
        (COMMA, "1.234,5", 1234.5),
        (COMMA, "1\xa0234,5", 1234.5),
        (COMMA, "0.25", 0.25),
        (COMMA, "1,5e3", 1500),
        (Notation(unit="%"), "12 %", 12),
        (Notation(unit="%"), "12", 12),
        (Notation(unit="$"), "-$5", -5),
        (Notation(unit="$"), "($5)", -5),
        (Notation(unit="$"), "€5", None),
        (Notation(",", unit="€"), "1.234,50 €", 1234.5),
    ],
)
def test_a_number_is_read_in_its_notation(notation, text, value):
    assert notation.parse(text) == value


@pytest.mark.parametrize(
    ("texts", "usual", "notation"),
    [
        (["1,234", "99"], ".", GROUPED),
        (["1,234", "99"], ",", COMMA),
        (["1,234", "2.5"], ",", GROUPED),
        (["1,234", "2,5"], ".", COMMA),
        (["1.234", "2,5"], ".", COMMA),
        (["12%", "0", "3%"], ".", Notation(unit="%")),
        (["$1,234.50", "7"], ".", Notation(grouped=True, unit="$")),
        (["1.234", "2.5"], ",", Notation()),
    ],
)
def test_a_column_shows_its_notation(texts, usual, notation):
    assert find_notation(texts, usual) == notation


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["2,5", "2.5"], "'2.5' has a decimal point, '2,5' a decimal comma"),
        (["$5", "€5"], "several units"),
        (["5%", "0.05"], "several units"),
    ],
)
def test_two_notations_in_a_column_are_refused(texts, said):
    with pytest.raises(ValueError, match=said):
        find_notation(texts, ".")


@pytest.mark.parametrize(
    "text", ["10+", "1-2", "12:30", "1.2.3", "030 123456", "v2", "(3", "$", ""]
)
def test_codes_and_ranges_are_no_numbers(text):
    assert not looks_numeric(text)
