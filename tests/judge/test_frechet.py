"""The Frechet distance, of Gaussians whose distance is known."""

import pytest
import torch

from zoo.judge.frechet import frechet_distance


def sample(number, mean, deviations, seed):
    """Points whose mean and covariance are exactly these, in turned coordinates."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(number, 3, generator=generator).double()
    points = points - points.mean(0)
    whitened = points @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(points.mT))).mT
    return whitened * torch.tensor(deviations) + torch.tensor(mean)


def test_means_and_deviations_count():
    """|m1 - m2|^2 + the squared differences of deviations, where axes are shared."""
    first = sample(50, [0.0, 0.0, 0.0], [1.0, 2.0, 3.0], 0)
    second = sample(80, [1.0, 0.0, 2.0], [2.0, 2.0, 1.0], 1)
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))
    assert frechet_distance(first, second) == pytest.approx(5 + 1 + 4)
    assert frechet_distance(first @ turn, second @ turn) == pytest.approx(10)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_a_constant_feature_is_no_obstacle():
    first = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    assert frechet_distance(first, first + torch.tensor([0.0, 2.0])) == pytest.approx(4)


def test_a_single_row_has_no_covariance():
    row = torch.tensor([[1.0, 2.0]])
    assert frechet_distance(row, row + 3) == pytest.approx(18)
    assert frechet_distance(row, torch.tensor([[1.0, 2.0], [3.0, 2.0]])) == pytest.approx(1 + 2)


def test_long_rows_and_many_rows_have_the_distance_of_their_covariances():
    torch.manual_seed(0)
    for rows in ((5, 40), (40, 5), (3, 7), (40, 50)):
        first, second = (torch.randn(n, 12) * 2 + n for n in rows)
        (mean1, mean2) = (x.double().mean(0) for x in (first, second))
        cov1, cov2 = (torch.cov(x.double().mT) for x in (first, second))
        roots = torch.linalg.eigvals(cov1 @ cov2).real.clamp(min=0).sqrt().sum()
        expected = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace() - 2 * roots
        assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-5)
