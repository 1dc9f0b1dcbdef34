"""metrics.jsonl as it grows, and as damage, a lost tail or a deletion leaves it."""

import pytest

from zoo.errors import UserError
from zoo.runs.metrics_file import cut, read_rows

ROWS = [{"step": step, "split": "train", "loss": 1.0 / step} for step in (1, 2, 3)]
LINES = [
    b'{"step": 1, "split": "train", "loss": 1.0}\n',
    b'{"step": 2, "split": "train", "loss": 0.5}\n',
    b'{"step": 3, "split": "train", "loss": 0.3333333333333333}\n',
]
WHOLE = b"".join(LINES)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "metrics.jsonl"


def test_rows_are_read_while_the_last_is_being_written(file):
    file.write_bytes(WHOLE[:-7])
    assert list(read_rows(file)) == ROWS[:2]


@pytest.mark.parametrize(
    "line", [b"\0\0\0\n", b"[1]\n", b"3\n", b"\n", b'{"step": 1}\n', b"\xff\n"]
)
def test_a_damaged_line_is_named(file, line):
    file.write_bytes(LINES[0] + line + LINES[1])
    with pytest.raises(UserError, match=r"metrics.jsonl, line 2 is no row of metrics"):
        list(read_rows(file))


def test_a_missing_file_is_one_line(file):
    with pytest.raises(UserError, match=r"metrics.jsonl cannot be read: No such file"):
        list(read_rows(file))


def test_later_rows_are_cut_off(file):
    file.write_bytes(WHOLE)
    assert cut(file, len(LINES[0])) == (ROWS[:1], 0)
    assert file.read_bytes() == LINES[0]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (WHOLE[:-7], LINES[:2]),
        (LINES[0] + b"\0" * 40, LINES[:1]),
        (LINES[0] + b"\0" * (len(LINES[1]) - 1) + b"\n" + LINES[2], [LINES[0], LINES[2]]),
        (b"", []),
        (None, []),
    ],
)
def test_what_is_lost_is_counted_and_nothing_stands_in_for_it(file, content, kept):
    if content is not None:
        file.write_bytes(content)
    rows, lost = cut(file, len(WHOLE))
    assert file.read_bytes() == b"".join(kept) and len(rows) == len(kept)
    assert lost == len(WHOLE) - sum(map(len, kept))
    assert list(read_rows(file)) == rows
