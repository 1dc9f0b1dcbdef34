"""Misclassified images: the worst ones, with what they are and what they were taken for."""

import torch

from zoo.tasks.plots.mistakes import MAX_ERRORS, mistakes, worst_errors


def texts(card):
    return [text.get_text() for text in card.texts]


def test_the_worst_errors_come_first():
    logits = torch.tensor([[5.0, 0.0], [0.0, 1.0], [0.0, 9.0], [0.0, 4.0], [0.2, 0.0]])
    target = torch.tensor([0, 0, 0, 0, 0])
    chosen, errors = worst_errors(logits, target)
    assert errors and chosen.tolist() == [2, 3, 1]
    many = worst_errors(torch.tensor([[0.0, 1.0]] * 40), torch.zeros(40).long())[0]
    assert len(many) == MAX_ERRORS


def test_without_errors_the_least_confident_are_shown():
    logits = torch.tensor([[5.0, 0.0], [0.1, 0.0], [1.0, 0.0]])
    target = torch.zeros(3).long()
    chosen, errors = worst_errors(logits, target)
    assert not errors and chosen.tolist() == [1, 2, 0]
    card, full = mistakes(torch.randn(3, 1, 4, 4), logits, target, ["cat", "dog"])
    assert "No errors" in full.get_suptitle() and "No errors" in texts(card)[0]


def test_an_error_shows_the_true_and_the_predicted_class():
    logits, target = torch.tensor([[0.0, 2.0], [3.0, 0.0]]), torch.tensor([0, 0])
    images = torch.randn(2, 1, 4, 4)
    card, full = mistakes(images, logits, target, ["cat", "dog"])
    assert texts(card) == ["1 error of 2 images", "cat → dog 88%"]
    (label,) = [text.get_text() for text in full.axes[0].texts]
    assert label == "true cat\npred. dog 88%" and full.get_suptitle() == "1 error (2 samples)"
    low, high = images[0].min(), images[0].max()
    for figure in (card, full):
        shown = torch.as_tensor(figure.axes[0].images[0].get_array())[..., 0]
        torch.testing.assert_close(shown, (images[0, 0] - low) / (high - low))


def test_a_card_has_few_and_a_file_more():
    logits, target = torch.tensor([[0.0, 1.0]] * 20), torch.zeros(20).long()
    card, full = mistakes(torch.randn(20, 1, 4, 4), logits, target, ["cat", "dog"])
    assert (
        len(card.axes[0].images) == 6 and texts(card)[0] == "The 6 worst of 20 errors of 20 images"
    )
    assert len(full.axes[0].images) == 16


def test_long_names_are_cut_to_the_column():
    logits, target = torch.tensor([[0.0, 2.0]] * 3), torch.zeros(3).long()
    names = ["a very long name of a class", "another one that is long"]
    card, _ = mistakes(torch.randn(3, 1, 4, 4), logits, target, names)
    first, second = texts(card)[1].split("\n")
    assert first.startswith("a very") and first.endswith("… →") and second.endswith("… 88%")
