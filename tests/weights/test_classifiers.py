"""Heads of classifiers in another form: equal logits."""

import pytest
import torch

from zoo.weights.classifiers import SMALL, add_pooler, fold_bias, unfold

SETTINGS = {"num_outputs": 3}


def head(classes=3, width=8):
    torch.manual_seed(0)
    names = {"head.weight": (classes, width), "head.bias": (classes,), "norm.bias": (width,)}
    return {name: torch.randn(shape) for name, shape in names.items()}


def test_the_norms_bias_makes_up_for_that_of_the_head():
    tensors, x = head(), torch.randn(5, 8)
    folded = fold_bias(tensors, SETTINGS)
    assert folded.keys() == {"head.weight", "norm.bias"}
    expected = (x + tensors["norm.bias"]) @ tensors["head.weight"].T + tensors["head.bias"]
    actual = (x + folded["norm.bias"]) @ folded["head.weight"].T
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert fold_bias(tensors, {}) is tensors
    assert torch.equal(unfold(folded, SETTINGS)["head.bias"], torch.zeros(3))


def test_more_classes_than_the_model_is_wide_are_refused():
    with pytest.raises(ValueError, match="a head of 9 classes with a bias has no counterpart"):
        fold_bias(head(classes=9), SETTINGS)


def test_the_pooler_passes_on_what_it_reads():
    tensors, x = head(), 3 * torch.randn(5, 8)
    published = add_pooler(tensors, SETTINGS)
    pooled = torch.tanh(x @ published["pooler.weight"].T + published["pooler.bias"])
    expected = x @ tensors["head.weight"].T
    torch.testing.assert_close(pooled @ published["head.weight"].T, expected, rtol=1e-5, atol=1e-5)
    again = unfold(published, SETTINGS)
    assert again.keys() == tensors.keys()
    assert torch.equal(again["head.weight"], tensors["head.weight"])
    with pytest.raises(ValueError, match="a pooler of its own"):
        unfold(published | {"pooler.weight": SMALL * torch.ones(8, 8)}, SETTINGS)
