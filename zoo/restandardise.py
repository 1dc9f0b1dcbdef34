"""Inputs standardised by one data set's statistics, as another network knows them.

Shapes: C channels, F features.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def rescaling(here: Sequence[Sequence[float]], there: Sequence[Sequence[float]]) -> Tensor:
    """Scale and shift from values standardised here to such as are standardised there, (2, C).

    Args:
        here, there: Means and standard deviations, 2 lists of C numbers.
    """
    (mean, std), (other_mean, other_std) = torch.tensor([here, there], dtype=torch.float64)
    return torch.stack([std / other_std, (mean - other_mean) / other_std]).float()


def pixel_rescaling(
    mean: list[float] | None, std: list[float] | None, facts: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    """Scale and shift of images, (C, 1, 1) each, for a network trained on data of these facts.

    Few training rows have another mean and deviation than the many that it has seen.
    """
    if mean is None or std is None or "pixel_mean" not in facts:
        return torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
    scale, shift = rescaling((mean, std), (facts["pixel_mean"], facts["pixel_std"]))
    return scale[:, None, None], shift[:, None, None]


def feature_rescaling(
    scales: list[list[float]] | None, facts: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    """Likewise of a table's columns, (F,) each.

    Args:
        scales: Mean and standard deviation of each column, (F, 2).
        facts: Of the data that the network was trained on.
    """
    if scales is None or "feature_scales" not in facts:
        return torch.ones(1), torch.zeros(1)
    here, there = (list(zip(*rows)) for rows in (scales, facts["feature_scales"]))
    scale, shift = rescaling(here, there)
    return scale, shift
