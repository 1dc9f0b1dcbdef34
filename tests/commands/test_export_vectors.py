"""A run of word2vec from the command line: its vectors as files, nearest words, evaluation."""

import json
import random

import numpy
import pytest
import torch

from zoo.commands.evaluate import main as evaluate
from zoo.commands.export_vectors import main as export
from zoo.commands.export_vectors import write_vectors
from zoo.commands.predict import main as predict
from zoo.restore import restore


@pytest.fixture(scope="module")
def words_run(trained, tmp_path_factory):
    """Sentences of two kinds, about food and about the sea."""
    rng = random.Random(0)
    kinds = ["bread cheese butter salt soup pepper", "ship sail wave harbour anchor storm"]
    lines = (" ".join(rng.choices(rng.choice(kinds).split(), k=12)) for _ in range(300))
    folder = tmp_path_factory.mktemp("words")
    (folder / "text.txt").write_text("\n\n".join(lines))
    places = (f"data.path={folder / 'text.txt'}", f"data.root={folder}")
    data = ("data=text", "data.tokenizer=word", "data.block_size=12", *places)
    model = ("model=word2vec", "model.width=6", "task=skip_gram", "optim=row_adagrad")
    return trained(
        "word2vec", *data, *model, "task.sample=0", "trainer.clip=10", "trainer.eval_steps=40",
        previews=True,
    )  # fmt: skip


def rows(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_vectors_are_written_in_the_text_format_of_word2vec(words_run, command, tmp_path):
    path = tmp_path / "vectors.txt"
    done = command(export, f"run={words_run}", f"path={path}", "projector=0")
    assert done.code == 0 and "12 words, 6 numbers each" in done.out
    head, *lines = path.read_text().splitlines()
    assert head == "12 6" and len(lines) == 12
    restored = restore(words_run)
    table = restored.model.words.weight
    for line in lines:
        word, *numbers = line.split(" ")
        (number,) = restored.task.neighbours.tokenizer.encode(word)
        numpy.testing.assert_allclose([*map(float, numbers)], table[number].detach(), rtol=1e-5)
    first, *labels = (words_run / "projector" / "labels.tsv").read_text().splitlines()
    assert first == "word\toccurrences" and len(labels) == 12, "those that training wrote"
    assert [label.split("\t")[0] for label in labels] == [line.split(" ")[0] for line in lines]


def test_gensim_reads_them(words_run, command, tmp_path):
    models = pytest.importorskip("gensim.models")
    command(export, f"run={words_run}", f"path={tmp_path / 'v.txt'}", "projector=0")
    vectors = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v.txt"))
    expected = [word for word, _ in vectors.most_similar("soup", topn=4)]
    actual = rows(command(predict, f"run={words_run}", "input=soup", "top=4", "json=true"))
    assert expected == [row["word"] for row in actual]


def test_any_word_is_one_field_of_its_line(tmp_path):
    """As gensim cuts lines: bytes, without the white space at their end, at single spaces."""
    words = [
        "New York",
        "the",
        "Größe",
        "न्याय",
        "你好",
        "o\u2019clock",
        "a\u00a0b",
        "x\u2028y",
        "z\tz",
    ]
    table = torch.arange(2 * len(words)).view(-1, 2) / 3
    write_vectors(tmp_path / "v.txt", words, table)
    head, *lines = (tmp_path / "v.txt").read_bytes().splitlines(keepends=True)
    assert head == f"{len(words)} 2\n".encode() and len(lines) == len(words)
    cut = [line.rstrip().decode().split(" ") for line in lines]
    assert [word for word, *_ in cut] == [*["_".join(word.split()) for word in words]]
    assert cut[0][0] == "New_York" and cut[6][0] == "a_b"
    numpy.testing.assert_allclose([[*map(float, row)] for _, *row in cut], table, rtol=1e-5)


def test_tensorboard_finds_the_vectors_in_the_run(words_run, command):
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    assert command(export, f"run={words_run}", "projector=7").code == 0
    text = (words_run / "projector_config.pbtxt").read_text()
    (embedding,) = text_format.Parse(text, ProjectorConfig()).embeddings
    table = numpy.loadtxt(words_run / embedding.tensor_path, delimiter="\t")
    words = (words_run / embedding.metadata_path).read_text().splitlines()
    lines = (words_run / "vectors.txt").read_text().splitlines()[1:8]
    assert table.shape == (7, 6) and words == [line.split(" ")[0] for line in lines]
    assert list(words_run.glob("events.out.tfevents.*"))  # where the projector looks


def test_answers_with_words_of_the_same_kind(words_run, command):
    actual = rows(command(predict, f"run={words_run}", "input=soup", "top=5", "json=true"))
    assert {row["word"] for row in actual} == {"bread", "cheese", "butter", "salt", "pepper"}
    assert all(0.5 < row["cosine"] <= 1 for row in actual)
    table = command(predict, f"run={words_run}", "input=soup, ship - sail + wave", "top=2").out
    assert [line.split()[0] for line in table.splitlines()] == [
        "input",
        *["soup"] * 2,
        *["ship"] * 2,
    ]


def test_a_misspelled_word_gets_one_line(words_run, refused):
    said = refused(predict, f"run={words_run}", "input=harbor")
    assert said == "unknown word 'harbor'; did you mean 'harbour'? (the vocabulary has 12 words)"


def test_evaluation_equals_that_at_the_end_of_training(words_run, command):
    (actual,) = rows(command(evaluate, f"run={words_run}", "split=test", "json=true"))
    result = json.loads((words_run / "result.json").read_text())
    actual = actual["metrics"]
    assert actual["loss"] == pytest.approx(result["test"]["loss"], rel=1e-6)
    assert 0.5 < actual["accuracy"] == pytest.approx(result["test"]["accuracy"])


def test_previews_are_words_and_a_map(words_run):
    text = (words_run / "previews" / "neighbours-000040.txt").read_text()
    assert text.count("**harbour**: ") == 1
    assert (words_run / "previews" / "map-000040.png").read_bytes()[:4] == b"\x89PNG"


def test_training_used_rows_alone(words_run):
    """Words that never occur keep the vector that they started with."""
    restored = restore(words_run, "last")
    assert torch.all(restored.model.contexts.weight[0] == 0)
    assert restored.model.contexts.weight[1:].abs().sum(1).min() > 0


def test_a_run_without_word_vectors_is_refused(rain_run, refused):
    said = refused(export, f"run={rain_run}")
    assert "task=classification has no word vectors; expected a run of word2vec" in said


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("projector=many", "projector=many: expected a whole number"),
        ("paths=x", "did you mean 'path='?"),
        ("path=/nowhere/at/all.txt", "cannot be written"),
    ],
)
def test_a_wrong_option_is_refused(words_run, refused, option, said):
    assert said in refused(export, f"run={words_run}", option)


def test_data_without_words_is_refused(train):
    done = train("model=word2vec", "task=skip_gram", "data=stdlib", "data.tokenizer=byte")
    assert done.code == 2 and "this data states no counts of words" in done.err
