"""A tensor's histogram, as TensorBoard's event files hold it."""

from typing import NamedTuple

import torch
from torch import Tensor

BINS = 64  # TensorBoard shows 30 of them


class Histogram(NamedTuple):
    """Numbers of values between limits, in the order of `SummaryWriter.add_histogram_raw`.

    Attributes:
        least, most: The ends.
        number: Of all values.
        total, squares: Their sum and that of their squares.
        limits: The upper end of each bin.
        counts: The number of values in each bin.
    """

    least: float
    most: float
    number: int
    total: float
    squares: float
    limits: list[float]
    counts: list[float]


def histogram(tensor: Tensor) -> Histogram | None:
    """The histogram of the finite values; None without any. On the CPU, whatever the device.

    Args:
        tensor: Of any shape and floating type; of a sparse one, the rows that it has.
    """
    held = tensor.detach()
    held = held.coalesce().values() if held.is_sparse else held
    values = held.cpu().double().flatten()  # float32 cannot count beyond 2^24
    values = values[values.isfinite()]
    if not len(values):
        return None
    least, most = values.min().item(), values.max().item()
    if least == most:  # histc would widen the range
        limits, counts = [most], [float(len(values))]
    else:
        limits = torch.linspace(least, most, BINS + 1, dtype=torch.float64)[1:].tolist()
        counts = torch.histc(values, BINS, least, most).tolist()
    sums = values.sum().item(), values.square().sum().item()
    return Histogram(least, most, len(values), *sums, limits, counts)
