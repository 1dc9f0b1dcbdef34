"""The loss of negative sampling against its sum, pair by pair."""

import torch
import torch.nn.functional as F

from zoo.kernels.word2vec import band, banded_logistic_loss

GROUPS, CENTRES, WIDTH, NEGATIVES = 2, 4, 3, 2


def test_the_loss_is_the_weighted_sum_over_pairs():
    torch.manual_seed(0)
    scores = torch.randn(GROUPS, CENTRES, CENTRES + WIDTH - 1 + NEGATIVES, dtype=torch.float64)
    positives = torch.rand(GROUPS, CENTRES, WIDTH, dtype=torch.float64)
    negatives = torch.rand(GROUPS, CENTRES, 1, dtype=torch.float64)
    expected = 0.0
    for g in range(GROUPS):
        for c in range(CENTRES):
            for r in range(WIDTH):
                expected -= positives[g, c, r] * F.logsigmoid(scores[g, c, c + r])
            for s in range(1, NEGATIVES + 1):
                expected -= negatives[g, c, 0] * F.logsigmoid(-scores[g, c, -s])
    actual = banded_logistic_loss.reference(scores, positives, negatives)
    torch.testing.assert_close(actual, expected)


def test_scores_that_are_quite_wrong_have_a_finite_loss():
    scores = torch.zeros(1, CENTRES, CENTRES + WIDTH - 1 + NEGATIVES)
    scores[0, 0, 0], scores[0, 1, -1], scores[0, 3, 4] = -150.0, 150.0, -200.0
    positives, negatives = torch.ones(1, CENTRES, WIDTH), torch.ones(1, CENTRES, 1)
    positives[0, 0, 0] = 0  # no pair
    expected = banded_logistic_loss.reference(scores, positives, negatives)
    scores.requires_grad_()
    loss = banded_logistic_loss(scores, positives, negatives)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert scores.grad[0, [0, 1, 3], [0, -1, 4]].tolist() == [0.0, 1.0, -1.0]


def test_a_band_is_a_view():
    matrix = torch.arange(12).view(1, 3, 4)
    diagonal = band(matrix, 2)
    assert diagonal.tolist() == [[[0, 1], [5, 6], [10, 11]]]
    assert diagonal.data_ptr() == matrix.data_ptr()
