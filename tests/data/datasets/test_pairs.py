"""The user's own pairs: from a table or two files, and each mistake named by its line."""

import pytest
from contexts import context
from sample_pairs import CHAR, texts, tiny_pairs

from zoo.data.datasets.pairs import pairs
from zoo.errors import UserError


def test_a_table_and_two_files_are_the_same_pairs(write, split):
    expected = tiny_pairs()
    table = write("pairs.tsv", "\ufeff" + "\r\n".join(f" {a}\t{b}" for a, b in expected) + "\r\n\n")
    sides = [write(f"{k}.txt", "\n".join(pair[k] for pair in expected)) for k in (0, 1)]
    data = pairs(context(split, tokenizer=CHAR), path=table)
    other = pairs(context(split, tokenizer=CHAR), source=sides[0], target=sides[1])
    assert data.sha256 == other.sha256
    assert sorted(sum((texts(data, s) for s in data.splits), [])) == sorted(expected)


def test_only_line_feeds_part_lines(write, split):
    table = write("pairs.tsv", "".join(f"a\u2028{k}\x0cb\tc\x85d\n" for k in range(20)))
    assert all(
        a[1] == "\u2028"
        for a, _ in texts(pairs(context(split, tokenizer=CHAR), path=table), "train")
    )


def test_translations_of_one_source_share_a_split(write, split):
    table = write("pairs.tsv", "".join(f"s{k % 10}\tt{k}\n" for k in range(100)))
    dataset = pairs(context(split, tokenizer=CHAR), path=table)
    sources = [{a for a, _ in texts(dataset, name)} for name in ("train", "val", "test")]
    assert [len(texts_of_split) for texts_of_split in sources] == [6, 2, 2] and len(
        set().union(*sources)
    ) == 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tb\nab\n", "pairs.tsv, line 2: no tab, expected one"),
        ("a\tb\na\tb\tc\n", "pairs.tsv, line 2: 2 tabs, expected one.*cut -f1,2"),
        ("a\tb\n \tb\n", "pairs.tsv, line 2: the source is empty"),
        ("a\tb\na\t\n", "pairs.tsv, line 2: the target is empty"),
        (b"a\tb\na\t\xff\n", r"pairs.tsv, line 2: not UTF-8 \(byte 0xff at offset 6\)"),
        ("\n\n", "pairs.tsv: the file is empty"),
        ("a\tb\n", "the (val|test) split is empty"),
    ],
)
def test_mistakes_in_a_table(write, split, content, message):
    with pytest.raises(UserError, match=message):
        pairs(context(split, tokenizer=CHAR), path=write("pairs.tsv", content))


def test_mistakes_in_two_files(write, split):
    source, target, hole = (
        write(n, t) for n, t in {"a": "x\ny\nz\n", "b": "x\n", "c": "x\n\nz"}.items()
    )
    with pytest.raises(UserError, match=f"{source} has 3 lines, {target} has 1; expected as many"):
        pairs(context(split, tokenizer=CHAR), source=source, target=target)
    with pytest.raises(UserError, match=f"{hole}, line 2: the target is empty.*of both files"):
        pairs(context(split, tokenizer=CHAR), source=source, target=hole)
    with pytest.raises(UserError, match="no such file or folder"):
        pairs(context(split, tokenizer=CHAR), source=source, target=target + "x")


@pytest.mark.parametrize("given", [{}, {"source": "a"}, {"path": "a", "target": "b"}])
def test_which_files(split, given):
    with pytest.raises(UserError, match="expected data.path=.* or data.source=.*data.target="):
        pairs(context(split, tokenizer=CHAR), **given)
