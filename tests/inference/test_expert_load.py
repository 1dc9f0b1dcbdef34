"""The load of experts by hand: what is padding does not count."""

import torch

from zoo.inference.expert_load import counted_experts, no_padding, shares
from zoo.models.llama import Llama

SCORED = torch.tensor([[0, 1, 1, 0, 0], [0, 0, 0, 0, 1], [0, 1, 0, 1, 0]], dtype=torch.bool)


def make(balance="bias", **options):
    torch.manual_seed(0)
    mixture = dict(experts=4, active=2, shared=1, inner=8, balance=balance)
    model = Llama(11, 8, width=16, depth=2, heads=2, mixture=mixture, **options)
    with torch.no_grad():
        for block in model.blocks:
            if balance == "bias":
                block.feed_forward.bias += 0.3 * torch.randn(4)
    return model, torch.randint(11, SCORED.shape)


def of_each_row(model, tokens, lengths):
    """Choices in each row alone, without its padding: (L, E)."""
    total = 0
    for row, length in zip(tokens, lengths, strict=True):
        with counted_experts(model.eval()) as experts:
            model(row[None, :length])
        total = total + experts["expert_load"]
    return total


def test_no_token_counts_after_the_last_that_is_scored():
    rows = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert no_padding(SCORED).int().tolist() == rows
    assert no_padding(None) is None


def test_choices_in_evaluation_are_those_of_rows_without_their_padding():
    model, tokens = make()
    expected = of_each_row(model, tokens, (3, 5, 4))
    with counted_experts(model, SCORED) as experts:
        model(tokens)
    assert experts["expert_load"].tolist() == expected.tolist()
    assert experts["expert_load"].sum(1).tolist() == [2 * 12, 2 * 12]
    with counted_experts(model) as all_of_them:
        model(tokens)
    assert all_of_them["expert_load"].sum(1).tolist() == [2 * 15, 2 * 15]


def test_training_counts_the_same_and_afterwards_all():
    model, tokens = make()
    expected = of_each_row(model, tokens, (3, 5, 4))
    with counted_experts(model.train(), SCORED) as experts:
        model(tokens)
    loads = torch.stack([block.feed_forward.load for block in model.blocks])
    assert loads.tolist() == expected.tolist() and experts == {}
    model(tokens)
    assert int(model.blocks[0].feed_forward.load.sum()) == 2 * (12 + 15)


def test_the_auxiliary_loss_is_a_mean_over_predictions_as_the_loss_is():
    model, tokens = make("loss")
    targets, expected = torch.zeros(5, dtype=torch.int64), 0.0
    model.train()

    def gradient(tokens, targets, scored):
        model.zero_grad()
        with counted_experts(model, scored):
            model(tokens, targets=targets).backward()
        return model.blocks[1].feed_forward.router.weight.grad

    for row, length, learnt in zip(tokens, (3, 5, 4), SCORED.sum(1), strict=True):
        nothing = targets[:length].fill_(-100)
        expected = expected + gradient(row[None, :length], nothing, None) * learnt / length
    torch.testing.assert_close(gradient(tokens, targets.fill_(-100).repeat(3), SCORED), expected)
    assert expected.abs().max() > 0


def test_a_classifier_leaves_its_padding_out():
    model, tokens = make(num_outputs=3, pad_id=0)
    model.train()
    tokens = tokens.clamp(min=1)
    for row, length in zip(tokens, (3, 5, 4), strict=True):
        model(row[None, :length])
        row[length:] = 0
    expected = model.blocks[1].feed_forward.load.tolist()
    model(tokens)
    assert model.blocks[1].feed_forward.load.tolist() == [2 * number for number in expected]


def test_shares_are_one_where_all_are_alike_busy():
    load = torch.tensor([[5.0, 5.0, 5.0, 5.0], [0.0, 2.0, 4.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    assert shares(load).tolist() == [[1.0] * 4, [0.0, 1.0, 2.0, 1.0], [0.0] * 4]
