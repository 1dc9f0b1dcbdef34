"""Every implementation of every kernel against its reference in float64: results and gradients.

The examples are the kernel's own. Implementations are called whatever their size and processor:
`pays` decides only which is faster.
"""

import pytest
import torch
from torch import nn

from zoo.kernels import KERNELS

ERRORS = {torch.float32: 3e-6, torch.bfloat16: 0.02}


def claims(random):
    """Of every kernel every implementation in every dtype that it claims."""
    return [
        pytest.param(kernel, fast, dtype, id=f"{fast.name}-{str(dtype).removeprefix('torch.')}")
        for kernel in KERNELS.values()
        for fast in kernel.implementations
        for dtype in fast.dtypes
        if kernel.random == random
    ]


CLAIMS = claims(random=False)


def cast(value, dtype):
    """An argument in another dtype, apart from the original."""
    if isinstance(value, list):
        return [cast(tensor, dtype) for tensor in value]
    if isinstance(value, nn.Linear):
        copy = nn.Linear(value.in_features, value.out_features, value.bias is not None)
        copy.load_state_dict(value.state_dict())
        return copy.to(dtype).requires_grad_(value.weight.requires_grad)
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().to(dtype).requires_grad_(value.requires_grad)
    return value


def leaves_of(arguments):
    """Tensors of the arguments that a gradient can be taken for."""
    for value in arguments:
        if isinstance(value, list):
            yield from leaves_of(value)
        elif isinstance(value, nn.Module):
            yield from value.parameters()
        elif isinstance(value, torch.Tensor) and value.is_floating_point():
            yield value


def computed(arguments):
    """The same, tensors computed from the leaves: as layers pass them on."""
    return [
        computed(value)
        if isinstance(value, list)
        else value * 1
        if isinstance(value, torch.Tensor) and value.requires_grad
        else value
        for value in arguments
    ]


def run(function, arguments, gradient):
    """The result, and gradients for the leaves that require one."""
    leaves = [leaf for leaf in leaves_of(arguments) if leaf.requires_grad]
    y = function(*computed(arguments))
    return [y, *torch.autograd.grad(y, leaves, gradient(y))]


def ramp(y):
    """A gradient that differs from place to place."""
    return torch.linspace(-1, 1, y.numel(), dtype=torch.float64).view(y.shape).to(y.dtype)


def expanded(y):
    """As that of a sum: one number in memory."""
    return torch.ones((), dtype=y.dtype).expand(y.shape)


def transposed(y):
    """Not contiguous."""
    return ramp(y) if y.ndim < 2 else ramp(y.mT).mT


def assert_near(results, exact, error):
    """As a whole within `error` of the exact values; no element off by four times as much of the
    typical one."""
    for actual, expected in zip(results, exact, strict=True):
        assert actual.shape == expected.shape
        actual, expected = actual.detach().double(), expected.detach()
        typical = float(expected.square().mean().sqrt()) + 0.01  # some gradients are zero
        assert float((actual - expected).square().mean().sqrt()) <= error * typical
        torch.testing.assert_close(actual, expected, rtol=4 * error, atol=4 * error * typical)


def supported(fast, kernel, dtype):
    """The kernel's examples that the implementation says it computes, in this dtype and float64."""
    torch.manual_seed(0)
    for example in kernel.examples():
        given = [cast(value, dtype) for value in example]
        if fast.supports(*given):
            exact = [cast(value, torch.float64) for value in given]
            yield given, exact


@pytest.mark.parametrize("kernel, fast, dtype", CLAIMS)
def test_results_and_gradients(kernel, fast, dtype):
    count = 0
    for given, exact in supported(fast, kernel, dtype):
        count += 1
        actual = run(fast.function, given, ramp)
        assert actual[0].dtype == kernel.reference(*given).dtype
        assert [tensor.dtype for tensor in actual[1:]] == [dtype] * (len(actual) - 1)
        assert_near(actual, run(kernel.reference, exact, ramp), ERRORS[dtype])
    assert count, f"no example of {kernel.name} is supported: the claim is untested"


@pytest.mark.parametrize("gradient", [expanded, transposed])
@pytest.mark.parametrize("kernel, fast, dtype", CLAIMS)
def test_gradients_that_are_not_contiguous(kernel, fast, dtype, gradient):
    for given, exact in small(supported(fast, kernel, dtype)):
        actual = run(fast.function, given, gradient)
        assert_near(actual, run(kernel.reference, exact, gradient), ERRORS[dtype])


@pytest.mark.parametrize("kernel, fast, dtype", CLAIMS)
def test_arguments_that_are_not_contiguous(kernel, fast, dtype):
    def transpose(values):
        for value in values:
            if isinstance(value, list):
                transpose(value)
            elif isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim > 1:
                value.data = value.data.mT.contiguous().mT

    for given, exact in small(supported(fast, kernel, dtype)):
        transpose(given)
        actual = run(fast.function, given, ramp)
        assert_near(actual, run(kernel.reference, exact, ramp), ERRORS[dtype])


@pytest.mark.parametrize("kernel, fast, dtype", CLAIMS)
def test_each_gradient_alone(kernel, fast, dtype):
    for given, exact in small(supported(fast, kernel, dtype)):
        for k in [k for k, leaf in enumerate(leaves_of(given)) if leaf.requires_grad]:
            for arguments in (given, exact):
                for number, leaf in enumerate(leaves_of(arguments)):
                    leaf.requires_grad_(number == k)
            actual = run(fast.function, given, ramp)
            assert len(actual) == 2
            assert_near(actual, run(kernel.reference, exact, ramp), ERRORS[dtype])


@pytest.mark.parametrize("kernel, fast, dtype", CLAIMS)
def test_without_gradients(kernel, fast, dtype):
    for given, exact in small(supported(fast, kernel, dtype)):
        with torch.no_grad():
            actual, expected = fast.function(*given), kernel.reference(*exact)
        assert not actual.requires_grad
        assert_near([actual], [expected], ERRORS[dtype])


@pytest.mark.parametrize("kernel, fast, dtype", claims(random=True))
def test_random_results_have_the_reference_distribution(kernel, fast, dtype):
    """Means over all elements of the result, its square and the gradient are those expected."""
    for given, _ in supported(fast, kernel, dtype):
        moments = []
        for function in (fast.function, kernel.reference):
            torch.manual_seed(0)
            y, slope = run(function, given, expanded)
            assert y.dtype == slope.dtype == dtype
            x = given[0].detach()
            torch.testing.assert_close(y.detach(), x * slope)  # the gradient of a random mask
            moments.append(torch.stack([slope.double().mean(), slope.double().square().mean()]))
        error = (6 / y.numel() ** 0.5 + 0.02) * moments[1][1]  # probabilities may be rounded
        assert ((moments[0] - moments[1]).abs() <= error).all(), moments


def small(pairs):
    """Those of at most 2^17 numbers: enough for what does not depend on size."""
    for given, exact in pairs:
        if sum(leaf.numel() for leaf in leaves_of(given)) <= 2**17:
            yield given, exact
