"""Factorization machines: the linear-time form is the double sum over pairs."""

import torch

from zoo.registry import MODELS


def make(features=5, outputs=3, rank=4):
    torch.manual_seed(0)
    options = {"name": "factorization_machine", "rank": rank}
    model = MODELS.build(options, input_shape=(features,), num_outputs=outputs).double()
    with torch.no_grad():
        model.head.bias.normal_()
    return model


def test_the_linear_time_form_is_the_double_sum():
    model, x = make(), torch.randn(7, 5, dtype=torch.float64)
    expected = torch.zeros(7, 3, dtype=torch.float64)
    for o in range(3):
        vectors = model.vectors[o].T  # (F, D)
        for b in range(7):
            total = model.head.bias[o] + (model.head.weight[o] * x[b]).sum()
            for i in range(5):
                for j in range(i + 1, 5):
                    total = total + (vectors[i] @ vectors[j]) * x[b, i] * x[b, j]
            expected[b, o] = total
    torch.testing.assert_close(model(x), expected)
    expected.sum().backward()
    slow = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    model(x).sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, slow[name])


def test_two_features_that_are_never_together_have_a_weight_from_the_others():
    """What the low rank is for: a and c both go with b, so a and c go together."""
    model = make(features=3, outputs=1, rank=1)
    x = torch.tensor([[1.0, 1, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).double()
    y = torch.tensor([2.0, 2, 0, 0, 0]).double()[:, None]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(400):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
    assert model.pair_weights()[0, 0, 2] > 0.5


def test_images_are_flattened():
    model = MODELS.build({"name": "factorization_machine"}, input_shape=(1, 4, 4), num_outputs=2)
    assert model(torch.randn(3, 1, 4, 4)).shape == (3, 2)
