"""Documents: read in pieces, sampled evenly, distinguished by their digest."""

from zoo.data.text import windows as token_set
from zoo.data.text.document import Document, digest, read, sample


def test_a_long_text_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr("zoo.data.text.document.PIECE", 10)
    for text in ("", "abc", "one two\nthree four five\nsix" * 5, "x" * 35, "明" * 35):
        pieces = list(Document.of("one", text).pieces())
        assert "".join(pieces) == text and max(map(len, pieces)) <= 10
    assert list(Document.of("one", "ab\ncd ef gh ij").pieces()) == ["ab\n", "cd ef gh ", "ij"]


def test_a_sample_is_taken_evenly():
    documents = [Document.of(str(i), "x" * 100) for i in range(10)]
    assert len(list(sample(documents, 1000, "all"))) == 10
    assert (
        len(list(sample(documents, 999, "half"))) == 5
        and len(list(sample(documents, 340, "a"))) == 4
    )
    mixed = [Document.of("a", "1"), Document.of("b", "2"), Document.of("c", "明")]
    assert list(sample(mixed, 3, "every second")) == ["1", "明"]


def test_the_digest_depends_on_texts_splits_and_boundaries():
    def of(**splits):
        return digest({s: [Document.of("", t) for t in ts] for s, ts in splits.items()}, "x")

    same = of(train=["ab"], val=["c"])
    parts = Document("", 2, lambda: iter(["a", "b"]))
    assert digest({"train": [parts], "val": [Document.of("", "c")]}, "x") == same
    others = [of(train=["a", "b"], val=["c"]), of(train=["ab"], test=["c"]), of(train=["abc"])]
    assert len({same, *others}) == 4


def test_progress_counts_bytes(capsys, monkeypatch):
    monkeypatch.setattr("zoo.data.progress.SECONDS", -1.0)
    list(read([Document.of("one", "明" * 1000)], "reading"))
    assert "reading: 0.0 MB (100 %)" in capsys.readouterr().err
    assert token_set.total_size([Document.of("one", "明a")]) == 4
