"""The scan in chunks against the recurrence: chunks of every length, states, long sequences."""

import pytest
import torch

from zoo.kernels import selective_scan
from zoo.kernels.chunked_scan import _by_doubling, _one_by_one, _Scan, cached_scan, doubling_scan

every_way = pytest.mark.parametrize("accumulate", [_one_by_one, _by_doubling])
B, T, E, N = 2, 7, 3, 2


def arguments(tokens=T, scale=1.0):
    torch.manual_seed(0)
    x, b, c = (torch.randn(B, tokens, n, dtype=torch.float64) for n in (E, N, N))
    delta = scale * torch.rand(B, tokens, E, dtype=torch.float64)
    rates = -3 * torch.rand(N, E, dtype=torch.float64)
    return [t.requires_grad_() for t in (x, delta, rates, b, c)]


def scan(accumulate, length, state=None):
    """Of x, by chunks of a length."""

    def run(x, delta, *others):
        return _Scan.apply(delta * x, delta, *others, state, accumulate, length)

    return run


@every_way
@pytest.mark.parametrize("length", [1, 2, 3, 7])
def test_results_states_and_gradients_are_the_recurrences(accumulate, length):
    given, weights = arguments(), torch.randn(B, T, E, dtype=torch.float64)
    start = torch.randn(B, N, E, dtype=torch.float64)
    own, others = start.clone(), start.clone()
    actual = scan(accumulate, length, own)(*given)
    expected = selective_scan.reference(*given, others)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(own, others, rtol=1e-12, atol=1e-12)
    gradients = (torch.autograd.grad(y, given, weights) for y in (actual, expected))
    for gradient, other in zip(*gradients):
        torch.testing.assert_close(gradient, other, rtol=1e-12, atol=1e-12)


@every_way
def test_gradients_by_finite_differences(accumulate):
    start = torch.randn(B, N, E, dtype=torch.float64)
    run = lambda *given: scan(accumulate, 2, start.clone())(*given)  # noqa: E731
    assert torch.autograd.gradcheck(run, arguments(tokens=3))


@pytest.mark.parametrize("run", [cached_scan, doubling_scan])
def test_long_sequences_neither_overflow_nor_fade(run):
    """Sums of the exponents would be far beyond what a float holds, were they inverted."""
    given = [t.detach().float().requires_grad_() for t in arguments(tokens=500, scale=50.0)]
    y = run(*given)
    expected = selective_scan.reference(*[t.double() for t in given])
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)
    assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), given))


def test_several_tokens_are_scanned_in_chunks_and_one_is_not():
    selective_scan.used.clear()
    selective_scan(*arguments(tokens=1))
    assert selective_scan.used == {"reference"}
    selective_scan(*arguments(tokens=2))
    assert selective_scan.used == {"reference", "cached_scan"}
