"""CSV files: delimiters, quotes, blank lines."""

import csv
import io

import pytest
from sample_tables import csv_text

from zoo.data.tables.csv_file import read_csv
from zoo.errors import UserError


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_quotes_blank_lines_and_marks(write, split, delimiter):
    buffer = io.StringIO()
    rows = list(csv.reader(io.StringIO(csv_text())))
    rows[5][2] = f'say "hi"{delimiter}\nthere'
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    raw = ("\ufeff" + buffer.getvalue() + "\r\n\r\n").encode()
    table = read_csv(write("t.csv", raw))
    assert table.header == rows[0] and table.rows == rows[1:]
    assert table.lines[:5] == [2, 3, 4, 5, 7], "lines of the file, although a cell spans two"


def test_another_separator_is_suggested_where_there_is_one_column(write):
    table = read_csv(write("t.txt", "a b y\n1 2 p\n"))
    with pytest.raises(UserError, match=r"cells are separated by ',': if not, set data.delimiter"):
        table.check_columns({"target": ["y"]})
