"""Where the header is and what separates cells, in files as spreadsheets write them."""

import pytest
from sample_tables import csv_text

from zoo.data.tables.csv_file import read_csv
from zoo.errors import UserError

PLAIN = csv_text()
SEMICOLONS = PLAIN.replace(",", ";")
LINES = PLAIN.strip().split("\n")


@pytest.mark.parametrize(
    ("content", "said", "first"),
    [
        (PLAIN, None, 2),
        ("sep=;\n" + SEMICOLONS, "its first line, sep=;", 3),
        ('"sep=;"\r\n' + SEMICOLONS.replace("\n", "\r\n"), "its first line, sep=;", 3),
        ("Sales 2024\n\n" + PLAIN, "1 line above the header left out: 'Sales 2024'", 4),
        ("Sales;;;;\nby me;;;;\n;;;;\n" + SEMICOLONS, "3 lines above the header left out", 5),
        ("# made, by\n" + PLAIN, "1 line above the header left out", 3),
        (PLAIN + ",,,,\n,,,,\n", "2 empty rows left out", 2),
        (
            "\n".join([LINES[0], *(line + "," for line in LINES[1:])]),
            "rows end with a separator",
            2,
        ),
    ],
)
def test_the_table_in_it_is_found(write, content, said, first):
    table = read_csv(write("t.csv", content))
    expected = read_csv(write("plain.csv", PLAIN))
    assert (table.header, table.rows) == (expected.header, expected.rows)
    assert table.lines[0] == first
    assert ("".join(table.notes) == "") if said is None else (said in table.notes[0])


def test_the_separator_is_the_one_that_gives_equal_rows(write):
    rows = "".join(f"n{i};{i},5;{i}\n" for i in range(9))
    table = read_csv(write("t.csv", "name;price, EUR;size, m\n" + rows))
    assert table.header == ["name", "price, EUR", "size, m"]
    assert read_csv(write("u.csv", PLAIN), "\\t").header == [PLAIN.split("\n")[0]]


def test_names_of_rows_without_a_name_of_their_own(write):
    named = "\n".join([LINES[0], *(f"r{i},{line}" for i, line in enumerate(LINES[1:]))])
    table = read_csv(write("t.csv", named))
    assert table.header == ["column 1", *LINES[0].split(",")] and table.rows[0][0] == "r0"
    alike = "\n".join([LINES[0], *(f"r,{line}" for line in LINES[1:])])
    with pytest.raises(UserError, match="line 2: 6 cells, expected 5"):
        read_csv(write("u.csv", alike))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n1\n1,2\n1,2,3\n", r"line 3: 1 cell, expected 2.*so are the lines 5 \(3\)"),
        ('a,b\n1,2\n"1,2\n1,2\n', "the row that begins in line 3: .*correct the quotes"),
        ("a,a,b,b\n1,2,3,4\n", "two columns are named 'a'; two columns are named 'b'; rename"),
        ("é,x,e\u0301\n1,2,3\n", "two columns are named 'é', once with other .* look the same"),
        ("a b,x,a\xa0b\n1,2,3\n", "two columns are named 'a b', once with other spaces"),
        ("a,x,a \u200b\n1,2,3\n", "two columns are named 'a'; rename one"),
        ('[{"a": 1}]', "this is JSON; expected CSV"),
        ("<html><table>", "this is HTML or XML"),
    ],
)
def test_all_lines_that_are_wrong_are_named(write, content, said):
    with pytest.raises(UserError, match=said):
        read_csv(write("t.csv", content))


def test_quotes_that_would_join_rows_are_characters_between_tabs(write):
    lines = ["text\tlabel", '"so it begins\tneg', "good\tpos", 'the end"\tneg', '"odd" one\tpos']
    for count in (4, 5):  # two rows would be lost in silence, or the quotes be refused
        table = read_csv(write("t.tsv", "\n".join(lines[:count]) + "\n"))
        assert table.rows == [line.split("\t") for line in lines[1:count]]
        assert table.notes == [
            "t.tsv: quotes are read as characters: with them, lines would not be rows"
        ]
    whole = 'text\tlabel\n"a\nb\tc"\tpos\nd\tneg\n'  # a cell that is written in quotes
    assert read_csv(write("u.tsv", whole)).rows == [["a\nb\tc", "pos"], ["d", "neg"]]
    commas = "\n".join(lines[:4]).replace("\t", ",")
    table = read_csv(write("v.csv", commas))
    assert len(table.rows) == 1 and "line 4 holds lines that may be rows" in table.notes[0]
