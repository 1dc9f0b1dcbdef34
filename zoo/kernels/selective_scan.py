"""The recurrence of a selective state space model, token by token.

Gu and Dao, 2023, https://arxiv.org/abs/2312.00752, equations 2 and 4, discretised as in section
3.6 and the authors' code: decay = exp(delta A), and delta B for the input.
Shapes: B batch, T tokens, E channels, N numbers of state of each channel.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from zoo.kernels.registry import Arguments, kernel


def _examples() -> Iterator[Arguments]:
    """Of one token and several, with a state before them and without."""
    for batch, tokens, channels, states, continues in (
        (2, 1, 6, 3, True),
        (2, 7, 5, 3, False),
        (3, 12, 6, 4, True),
        (1, 17, 3, 2, False),
    ):
        shape = (batch, tokens, channels)
        x, b, c = (
            torch.randn(batch, tokens, width, dtype=torch.float64).requires_grad_()
            for width in (channels, states, states)
        )
        delta = torch.rand(shape, dtype=torch.float64).requires_grad_()
        rates = (-3 * torch.rand(states, channels, dtype=torch.float64)).requires_grad_()
        state = torch.randn(batch, states, channels, dtype=torch.float64)
        yield x, delta, rates, b, c, state if continues else None


@kernel(examples=_examples)
def selective_scan(
    x: Tensor, delta: Tensor, rates: Tensor, b: Tensor, c: Tensor, state: Tensor | None = None
) -> Tensor:
    """Write each channel's tokens into its decaying state, and read that: (B, T, E).

    Args:
        x: (B, T, E).
        delta: Step sizes, positive, (B, T, E).
        rates: A, negative, (N, E).
        b: What a token writes to, (B, T, N).
        c: What it reads, (B, T, N).
        state: After the tokens before these, (B, N, E); is overwritten by the one after them. No
            gradient flows through it. None: zero, and not kept.
    """
    h = torch.zeros_like(rates).expand(len(x), -1, -1) if state is None else state.clone()
    outputs = []
    for t in range(x.shape[1]):
        decay = (delta[:, t, None] * rates).exp()  # (B, N, E)
        h = decay * h + (delta[:, t] * x[:, t])[:, None] * b[:, t, :, None]
        outputs.append((h * c[:, t, :, None]).sum(1))
    if state is not None:
        with torch.no_grad():
            state.copy_(h)
    return torch.stack(outputs, dim=1)
