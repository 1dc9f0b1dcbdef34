"""Pooling of sequences, with and without padding."""

import torch

from zoo.layers.pooling import last_token, mean_token

PAD = 0
TOKENS = torch.tensor([[3, 4, 5, 6], [3, 4, PAD, PAD], [3, PAD, 5, PAD]])


def test_the_last_token_that_is_not_padding():
    x = torch.randn(3, 4, 2)
    torch.testing.assert_close(last_token(x, TOKENS, PAD), x[[0, 1, 2], [3, 1, 2]])
    torch.testing.assert_close(last_token(x, TOKENS, None), x[:, -1])


def test_the_mean_over_tokens_that_are_not_padding():
    x = torch.randn(3, 4, 2)
    expected = torch.stack([x[0].mean(0), x[1, :2].mean(0), x[2, [0, 2]].mean(0)])
    torch.testing.assert_close(mean_token(x, TOKENS, PAD), expected)
    torch.testing.assert_close(mean_token(x, TOKENS, None), x.mean(1))


def test_a_sequence_of_padding_only_has_a_finite_vector():
    x, tokens = torch.randn(1, 4, 2), torch.full((1, 4), PAD)
    assert (mean_token(x, tokens, PAD) == 0).all()
    torch.testing.assert_close(last_token(x, tokens, PAD), x[:, 0])
