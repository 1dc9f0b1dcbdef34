"""Texts of classes: from a CSV file or the standard library to padded batches, and back again."""

import csv
import io
import json
import random
from collections import Counter

import numpy as np
import pytest
import torch
from contexts import build_dataset, context

from zoo.data.datasets.pydoc_topics import CLASSES, TOPICS, topics
from zoo.data.encoding import load_encoding
from zoo.data.splits import Split
from zoo.data.text.labelled import labelled_text_dataset
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError

SPLIT = Split(val_fraction=0.2, test_fraction=0.2)
BYTES = TokenizerConfig(tokenizer="byte", vocab_size=None)


def table(n=60, seed=0, classes=("cat", "dog"), header=("id", "body", "kind")):
    """Rows whose class is a word of the text, of many lengths; commas, quotes, newlines in it."""
    r = random.Random(seed)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for i in range(n):
        kind = classes[i % len(classes)]
        filler = " ".join(r.choice(["a", 'the "one"', "née,", "\nnull"]) for _ in range(i % 9))
        writer.writerow([i, f"{kind} {i} {filler}", kind])
    return out.getvalue()


def build(
    path, tokenizer=BYTES, encoding=None, block_size=64, text="body", target="kind", **options
):
    options = {"path": path, "text": text, "target": target, **options}
    options |= {"name": "text_csv", "block_size": block_size}
    return build_dataset(options, split=SPLIT, tokenizer=tokenizer, encoding=encoding)


def decoded(data, split):
    """(text, class name) of every sample, by batches of seven."""
    source, found = data.splits[split], []
    for index in torch.arange(len(source)).split(7):
        batch = data.encoding.prepare(source.fetch(index))
        assert batch["input"].dtype == batch["target"].dtype == torch.int64
        for row, target in zip(batch["input"], batch["target"], strict=True):
            text = data.encoding.tokenizer.decode(row.tolist())
            found.append((text, data.facts["class_names"][target]))
    return found


def test_texts_stay_with_their_classes_and_are_dealt_once(write):
    content = table()
    data = build(write("t.csv", content), block_size=99)
    rows = [(r["body"], r["kind"]) for r in csv.DictReader(io.StringIO(content, newline=""))]
    found = [pair for split in ("train", "val", "test") for pair in decoded(data, split)]
    assert sorted(found) == sorted(rows)
    counts = {s: Counter(kind for _, kind in decoded(data, s)) for s in data.splits}
    assert counts["test"] == {"cat": 6, "dog": 6} and counts["val"] == {"cat": 6, "dog": 6}
    assert data.facts["class_counts"] == [18, 18]
    assert data.facts["num_outputs"] == data.facts["num_classes"] == 2


def test_batches_are_padded_on_the_right_to_their_own_longest(write):
    data = build(write("t.csv", table()))
    source, pad = data.splits["train"], data.facts["pad_id"]
    assert data.facts["vocab_size"] == 257 and data.facts["block_size"] == 64
    lengths = source.bucket_key
    for index in (lengths.argmin()[None], torch.stack([lengths.argmin(), lengths.argmax()])):
        tokens = source.fetch(index)["input"]
        assert tokens.shape == (len(index), int(lengths[index].max()))
        for row, length in zip(tokens, lengths[index].tolist(), strict=True):
            assert (row[:length] != pad).all() and (row[length:] == pad).all()


def test_words_are_padded_by_an_id_that_is_no_word(write):
    """Id 0 is `<unk>` there."""
    data = build(write("t.csv", table()), TokenizerConfig(tokenizer="word", vocab_size=None))
    assert data.facts["pad_id"] == 1
    whole = data.splits["train"].fetch(torch.arange(len(data.splits["train"])))["input"]
    assert (whole == 1).any() and set(whole[:, 0].tolist()).isdisjoint({1})


def test_long_texts_are_cut_and_counted(write):
    data = build(write("t.csv", table()), block_size=8)
    assert int(data.splits["train"].bucket_key.max()) == 8
    assert "dog 5 th" in [text for split in data.splits for text, _ in decoded(data, split)]
    note = next(note for note in data.notes if "truncated" in note)
    assert "are longer than data.block_size=8 tokens (up to " in note
    assert "truncated" not in "".join(build(write("t.csv", table()), block_size=900).notes)


def test_the_tokenizer_learns_from_the_training_split_alone(write):
    words = TokenizerConfig(tokenizer="word", vocab_size=None)
    content = "body,kind\n" + "".join(
        f"{'abcdefghij'[i % 10] * (2 + i // 10)},{'xy'[i % 2]}\n" for i in range(60)
    )
    data = build(write("t.csv", content), words)
    train = {text for text, _ in decoded(data, "train")}
    assert set(data.encoding.tokenizer.words) == train and len(train) == 36
    assert {text for text, _ in decoded(data, "test")} == {"<unk>"}


def test_texts_that_are_both_trained_and_judged_on_are_counted(write):
    lines = ["body,kind"] + [f"same text,{'xy'[i % 2]}" for i in range(40)]
    notes = build(write("t.csv", "\n".join(lines))).notes
    assert any(
        note.startswith("16 texts of the val and test splits are also in the") for note in notes
    )


def test_a_run_judges_other_texts_by_the_names_of_its_classes(write):
    """Another order of classes, another delimiter and column order; one class is missing."""
    data = build(write("t.csv", table(classes=("cat", "dog", "emu"))))
    saved = json.loads(json.dumps(data.encoding.to_json()))
    other = write("new.csv", "kind;body\nemu;emu née\ncat;cat né\n")
    again = build(other, encoding=saved, text=None, target=None, block_size=3)
    assert decoded(again, "all") == [("emu née", "emu"), ("cat né", "cat")]
    assert again.facts["class_names"] == ["cat", "dog", "emu"]


@pytest.mark.parametrize("kind", ["byte", "char", "word", "bpe"])
def test_an_encoding_comes_back_from_json(write, kind):
    data = build(write("t.csv", table()), TokenizerConfig(tokenizer=kind, vocab_size=300))
    again = load_encoding(json.loads(json.dumps(data.encoding.to_json())))
    assert again.facts() == data.encoding.facts()
    assert np.array_equal(again.encode("cat 1 the"), data.encoding.encode("cat 1 the"))


def test_reads_a_text_a_file_of_lines_or_a_table(write):
    encoding = build(write("t.csv", table()), block_size=9).encoding
    names, batch = encoding.read("a cat, a very long one")
    assert names == ["a cat, a very long one"]
    assert encoding.tokenizer.decode(batch["input"][0].tolist()) == "a cat, a "
    path = write("lines.txt", "cat\n\nné dog\n")
    names, batch = encoding.read(path)
    assert names == [f"{path}:1", f"{path}:3"]
    assert batch["input"].shape == (2, 7)
    assert [encoding.tokenizer.decode(r.tolist()) for r in batch["input"]] == ["cat", "né dog"]
    path = write("new.csv", 'number,body\n1,"x\ny"\n2,z\n')
    names, batch = encoding.read(path)
    assert names == [f"{path}:3", f"{path}:4"]
    assert [encoding.tokenizer.decode(r.tolist()) for r in batch["input"]] == ["x\ny", "z"]
    assert len(encoding.read("long " * 2000)[0]) == 1  # longer than a file's name may be


def test_a_text_without_any_word_is_padding():
    texts = ["one", "two", "1 2", "one", "two", "3", "one", "two", "4", "-"]
    labels = torch.tensor([0, 1] * 5)
    index = {"train": torch.arange(6), "val": torch.tensor([6, 7]), "test": torch.tensor([8, 9])}
    words = TokenizerConfig(tokenizer="word", vocab_size=None)
    data = labelled_text_dataset("x", texts, labels, ["a", "b"], index, context(tokenizer=words), 8)
    assert data.splits["test"].fetch(torch.arange(2))["input"].tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (table(), {"path": None}, "data.path is missing"),
        (
            table(),
            {"text": None},
            "data.text is missing: the column of the texts (one of: id, body",
        ),
        (table(), {"target": None}, "data.target is missing: the column of the classes"),
        (table(), {"text": "bdy"}, "unknown column 'bdy'; did you mean 'body'?"),
        (table(), {"target": "knid"}, "unknown column 'knid'; did you mean 'kind'?"),
        (table(), {"target": "body"}, "data.text and data.target are both 'body'"),
        (table(), {"block_size": 0}, "data.block_size=0: expected 1 or more"),
        ("body,kind\n ,x\n,y\n", {}, "the column 'body' is empty in every row"),
        ("body,kind\na,x\nb,x\n", {}, "'x' in every row; expected two classes"),
        ("body,kind\na,x\nb,\n", {}, "line 3: the target 'kind' is missing"),
        (b"body,kind\na\xff,x\n", {}, "line 2: not UTF-8 (byte 0xff at offset 11)"),
    ],
)
def test_mistakes_are_one_line_each(write, content, options, said):
    options = {"path": write("t.csv", content), **options}
    with pytest.raises(UserError) as caught:
        build(**options)
    assert said in str(caught.value)


def test_a_run_refuses_what_is_not_like_it(write):
    saved = build(write("t.csv", table())).encoding.to_json()
    path = write("new.csv", "body,kind\ncow one,cow\ncow two,cow\n")
    with pytest.raises(UserError, match="the data has 1 classes .cow., the run was trained on 2"):
        build(path, encoding=saved)
    with pytest.raises(UserError, match="data.tokenizer=char: the run was trained with a byte"):
        build(path, TokenizerConfig(tokenizer="char"), encoding=saved)
    with pytest.raises(UserError, match="the run was trained on text;"):
        text = {"kind": "text", "length": 3, "tokenizer": saved["tokenizer"]}
        build(path, encoding=text)
    encoding = load_encoding(saved)
    for given, said in (("  ", "input= is empty"), (write("e.txt", "\n\n"), "the file is empty")):
        with pytest.raises(UserError, match=said):
            encoding.read(given)
    with pytest.raises(UserError, match="unknown column 'body'"):
        encoding.read(write("other.csv", "text\nx\n"))


def test_rows_without_a_text_are_left_out(write):
    data = build(write("t.csv", table() + "61, ,cat\n62,,dog\n"))
    assert sum(map(len, data.splits.values())) == 60
    assert "2 rows without a text left out" in data.notes


def test_topics_of_a_library(monkeypatch):
    """Texts of eight words or more, once each, without the name of their module."""
    eight = "that has eight words or even some more"
    files = {
        "asyncio/tasks.py": f'"""Asyncio: a task {eight}."""\nx = 1  # too short\n',
        "difflib.py": f'"""Asyncio and difflib {eight}; see difflib.Differ and difflibs."""\n',
        "textwrap.py": f"# {eight} which is said\n\nx = 1\n# {eight}, which is said!\n",
        "distutils/core.py": f'"""Gone from new Pythons, {eight}."""\n',
    }
    monkeypatch.setattr("zoo.data.datasets.pydoc_topics.sources", lambda: iter(files.items()))
    topics.cache_clear()
    assert topics() == [
        (f"_: a task {eight}.", "concurrency"),
        (f"Asyncio and _ {eight}; see _.Differ and difflibs.", "text"),
        (f"{eight} which is said", "text"),
    ]
    topics.cache_clear()


def test_each_module_has_one_topic():
    modules = [module for names in TOPICS.values() for module in names.split()]
    assert len(set(modules)) == len(modules) and CLASSES == sorted(TOPICS)


def test_trains_is_judged_and_predicts(train, write, tmp_path, capsys):
    """The whole way on the command line: one word decides the class, so it must be learnt."""
    from zoo.commands.evaluate import main as evaluate
    from zoo.commands.predict import main as predict

    path = write("t.csv", table(n=120))
    trained = train(
        "model=rnn", "model.width=16", "model.depth=1", "data=text_csv", f"data.path={path}",
        "data.text=body", "data.target=kind", "data.tokenizer=word", "data.batch_size=20",
        "optim.lr=0.03", "trainer.max_epochs=6", "trainer.precision=fp32",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    assert json.loads((trained.path / "result.json").read_text())["test"]["accuracy"] == 1.0
    run = f"run={trained.path}"
    other = write("new.csv", "body,kind\nmy dog,dog\ncat,cat\n")
    assert evaluate([run, "data=text_csv", f"data.path={other}", "json=true", "device=cpu"]) == 0
    outcome = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert outcome["samples"] == 2 and outcome["metrics"]["accuracy"] == 1.0
    assert predict([run, "input=the dog", "json=true", "device=cpu"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["class"] == "dog"


def test_texts_of_two_tokens_are_no_table_of_two_features(train, write):
    """Whose decision surface would be drawn."""
    rows = [f"{'cat dog'.split()[i % 2]} {'abc'[i % 3]}x,{i % 2}" for i in range(40)]
    trained = train(
        "model=rnn", "model.width=4", "data=text_csv", "data.tokenizer=word", "data.text=body",
        f"data.path={write('t.csv', chr(10).join(['body,kind', *rows]))}", "data.target=kind",
        "data.batch_size=8", "trainer=debug",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    names = {path.name.split("-")[0] for path in (trained.path / "previews").iterdir()}
    assert names == {"confusion"}
