"""The confusion matrix and the pairs confused most."""

import pytest
import torch
from previews import RUNTIME, Previews, classifier
from torch import nn

from zoo.tasks.plots.card import HEIGHT, WIDTH
from zoo.tasks.plots.confusion import confused_pairs, confusion, confusion_card
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision


def lines(card):
    return [text.get_text() for text in card.texts]


@pytest.mark.parametrize("classes", [2, 30, 100])
def test_confusion_of_few_and_of_many_classes(classes):
    counts = torch.diag(torch.arange(1, classes + 1))
    counts[1, 0] = 7
    figure = confusion(counts, [f"a class of number {k}" for k in range(classes)])
    Previews().figure("confusion", figure)
    texts = [text.get_text() for text in figure.axes[0].texts]
    if classes > 30:
        assert texts == []
    else:
        assert sorted(map(int, texts)) == sorted([*range(1, classes + 1), 7])
        places = [t.get_position() for t in figure.axes[0].texts if t.get_text() == "7"]
        assert (0, 1) in places  # true 1 is down, predicted 0 across
    total = int(counts.sum())
    assert f"{total - 7:,} of {total:,} correct" in figure.get_suptitle()


@pytest.mark.parametrize("classes", [10, 11, 100])
def test_the_card_names_the_five_most_confused_pairs_and_of_few_classes_shows_all(classes):
    counts = torch.diag(torch.full((classes,), 90))
    for k, (true, predicted) in enumerate([(9, 4), (3, 5), (5, 3), (1, 7), (8, 0), (2, 6)]):
        counts[true, predicted] = 20 - k
    names = [f"k{k}" for k in range(classes)]
    card = confusion_card(counts, names)
    pairs = ["k9 → k4: 20", "k3 → k5: 19", "k5 → k3: 18", "k1 → k7: 17", "k8 → k0: 16"]
    assert [line for line in lines(card) if ": " in line] == pairs
    assert len(card.axes) == (1 if classes == 10 else 0)
    if classes == 10:
        written = {t.get_position(): t.get_text() for t in card.axes[0].texts}
        assert written[4, 9] == "20" and written[0, 0] == "90"
    assert confused_pairs(counts, 2) == [(9, 4, 20), (3, 5, 19)]


def test_long_names_are_on_two_lines_and_short_counts_stay():
    counts = torch.tensor([[5, 2], [0, 3]])
    card = confusion_card(counts, ["malignant tumour of the breast", "benign"])
    (pair,) = [line for line in lines(card) if "→\n" in line]
    assert pair.startswith("malignant") and pair.endswith("→\nbenign: 2")


def test_without_errors_the_card_says_so():
    card = confusion_card(torch.eye(3).long(), list("abc"))
    assert "no errors" in lines(card) and "3 of 3 correct (100.00%)" in lines(card)
    assert card.get_size_inches().tolist() == [WIDTH / 100, HEIGHT / 100]


def test_the_confusion_drawn_is_the_whole_splits():
    """The batch for plots may be a part of the split; the counts are of all of it."""
    task, model = classifier(2), nn.Identity()
    logits, target = torch.eye(2).repeat(30, 1), torch.tensor([0, 1] * 30)
    whole = {"input": logits, "target": target}
    totals = evaluate(model, task, [whole], Precision("fp32", RUNTIME.device), RUNTIME)
    previews = Previews()
    few = {name: column[:4] for name, column in whole.items()}
    task.preview(model.eval(), few, totals, previews)
    for figure in (previews.figures["confusion"], previews.full["confusion"]):
        assert [text.get_text() for text in figure.axes[0].texts] == ["30", "30"]
