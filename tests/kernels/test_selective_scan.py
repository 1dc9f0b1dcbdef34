"""The recurrence against the paper's equations, one number at a time."""

import math

import torch

from zoo.kernels import selective_scan


def test_equals_the_equations():
    torch.manual_seed(0)
    batch, tokens, channels, states = 2, 4, 3, 2
    x, b, c = (torch.randn(batch, tokens, n).double() for n in (channels, states, states))
    delta = torch.rand(batch, tokens, channels).double()
    rates = -3 * torch.rand(states, channels).double()
    start = torch.randn(batch, states, channels).double()
    expected, last = torch.zeros_like(x), start.clone()
    for i in range(batch):
        for e in range(channels):
            h = start[i, :, e].tolist()
            for t in range(tokens):
                for n in range(states):
                    decay = math.exp(delta[i, t, e] * rates[n, e])
                    h[n] = decay * h[n] + float(delta[i, t, e] * b[i, t, n] * x[i, t, e])
                expected[i, t, e] = sum(float(c[i, t, n]) * h[n] for n in range(states))
            last[i, :, e] = torch.tensor(h)
    state = start.clone()
    torch.testing.assert_close(selective_scan.reference(x, delta, rates, b, c, state), expected)
    torch.testing.assert_close(state, last)
