"""Neighbours of words and of sums of words: answers, messages, previews."""

from types import SimpleNamespace

import pytest
import torch
from previews import Previews
from word_vectors import WORDS, task, text

from zoo.errors import UserError
from zoo.models.word2vec import Word2Vec
from zoo.tasks.plots.word_vectors import WordNeighbours, map_card


def planted():
    """A model where ca - ba + bi is ci, and a task that knows all words but the last."""
    net = Word2Vec(WORDS, 4).eval()
    made = task()
    number = {made.neighbours.tokenizer.token(i): i for i in range(WORDS)}
    torch.manual_seed(0)
    with torch.no_grad():
        net.words.weight.normal_().mul_(0.1)
        for word, place in {"ba": (1, 0), "ca": (1, 1), "bi": (-1, 0), "ci": (-1, 1)}.items():
            net.words.weight[number[word]] = torch.tensor([*place, 0.0, 0.0]) + 1e-3
    return made, net


def test_answers_an_analogy_without_naming_its_own_words():
    made, net = planted()
    rows = list(made.respond(net, "ca - ba + bi", top=3))
    assert rows[0]["word"] == "ci" and rows[0]["cosine"] > 0.8 and len(rows) == 3
    assert not {"ca", "ba", "bi"} & {row["word"] for row in rows}
    typed = list(made.respond(net, " CA-ba  +bi ", top=3))
    assert [row["word"] for row in typed] == [row["word"] for row in rows]


def test_answers_several_questions():
    made, net = planted()
    rows = list(made.respond(net, "ca， bi + ci", top=2))
    assert rows == list(made.respond(net, "ca, bi + ci", top=2))
    assert [row["input"] for row in rows] == ["ca", "ca", "bi + ci", "bi + ci"]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("baa", "unknown word 'baa'; did you mean 'ba'? (the vocabulary has 38 words)"),
        ("ca - zzzz", "unknown word 'zzzz'; no word is spelled similarly"),
        ("ba'ci", "'ba'ci' is 2 words to this vocabulary: ba, ci"),
        ("<unk>", "unknown word '<unk>'"),
        ("ca bi", "expected a word, or words with + or - between"),
        ("", "expected a word"),
        ("ca,", "expected a word"),
        ("ca +", "expected a word"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_one_line(question, said):
    made, net = planted()
    with pytest.raises(UserError) as error:
        list(made.respond(net, question))
    assert said in str(error.value)


@pytest.mark.parametrize("top", [0, 39])
def test_top_is_a_number_of_words(top):
    made, net = planted()
    with pytest.raises(UserError, match="expected 1 to 38"):
        list(made.respond(net, "ca", top=top))


def test_content_words_of_scripts_without_capitals_are_shorter():
    names = ["的", "北京", "function", "of", "किताब"]
    tokenizer = SimpleNamespace(token=["<unk>", *names].__getitem__)
    neighbours = WordNeighbours(torch.tensor([0, 5, 4, 3, 2, 1]), tokenizer, sample=0)
    assert [names[i - 1] for i in neighbours.content_words(9)] == ["北京", "function", "किताब"]


def test_previews_name_neighbours_of_frequent_words():
    made, net = planted()
    previews = Previews()
    made.preview(net, {"input": text(1, 65)}, {}, previews)
    line = next(line for line in previews.texts["neighbours"].split("\n\n") if "**ba**" in line)
    expected = list(made.respond(net, "ba", top=6))
    assert line == "**ba**: " + ", ".join(f"{r['word']} {r['cosine']:.2f}" for r in expected)
    labels = {label.get_text().strip() for label in previews.full["map"].axes[0].texts}
    assert {"ba", "ca", "bi"} <= labels


def test_words_on_the_card_do_not_overlap_and_lie_as_in_the_file():
    """Of two words at one place the more frequent one is shown."""
    names = ["first", "hidden", "below", "right"]
    points = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    card = map_card(names, points)
    placed = {text.get_text(): text.get_position() for text in card.texts[1:]}
    assert list(placed) == ["first", "below", "right"]
    assert card.texts[0].get_text().startswith("3 frequent words")
    assert placed["first"][1] > placed["below"][1] and placed["first"][0] < placed["right"][0]
