"""Interactions: which user likes which film, and when? Generated, with a known floor of noise.

    rating = 5 + user + film + user x film + user x hour + noise
Every user rates kindly or harshly and every film is good or bad: a linear model learns that. But
users differ in taste too, and in the hour at which they are in the mood: these parts belong to
pairs of columns, have a mean of 0 over either of the two, and are invisible to a linear model. The
taste is of low rank (a few traits of users and films), as Rendle's factorization machines assume
(2010, https://doi.org/10.1109/ICDM.2010.127).
"""

import math

import torch
from torch import Tensor

from zoo.bounds import NotNegative, Positive
from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.column import Raw
from zoo.data.tables.dataset import table_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

MIDDLE, SPREAD = 12.0, 24 / math.sqrt(12)  # of an hour of the day, all of them equally likely


@DATASETS.register("interactions", uses=("labels",), tiny={"samples": 300, "users": 5, "films": 4})
def interactions(
    context: DataContext,
    samples: Positive = 40_000,
    users: Positive = 20,
    films: Positive = 15,
    traits: Positive = 3,
    strength: NotNegative = 0.7,
    noise: NotNegative = 1.0,
    seed: int = 0,
) -> Dataset:
    """Ratings by user, film and hour of the day.

    Args:
        context: The shared settings.
        samples: Ratings.
        users, films: How many there are.
        traits: Rank of the taste.
        strength: Standard deviation of all that belongs to pairs of columns.
        noise: Standard deviation of the noise, below which no model's error can fall.
        seed: Of the ratings, not of the training.
    """
    if samples < 20 or users < 2 or films < 2:
        raise UserError(
            f"data.samples={samples}, data.users={users}, data.films={films}: expected 20 ratings "
            f"or more, of 2 users and 2 films or more"
        )
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    user = torch.randint(users, (samples,), generator=generator)
    film = torch.randint(films, (samples,), generator=generator)
    hour = 24 * torch.rand(samples, dtype=torch.float64, generator=generator)
    taste = _centred(normal(users, traits)) @ _centred(normal(films, traits)).T  # (users, films)
    habit = _centred(normal(users))
    pairs = (taste / _size(taste))[user, film]
    pairs = pairs + (habit / _size(habit))[user] * (hour - MIDDLE) / SPREAD
    means = 5 + _centred(normal(users))[user] + _centred(normal(films))[film]
    error = noise * normal(samples)
    rating = means + strength / math.sqrt(2) * pairs + error
    columns: Raw = {
        "user": [f"u{k:02}" for k in user.tolist()],
        "film": [f"f{k:02}" for k in film.tolist()],
        "hour": hour,
    }
    dataset = table_dataset(columns, rating, "rating", None, context)
    dataset.notes += _floor(means, rating, error, context)
    return dataset


def _centred(values: Tensor) -> Tensor:
    """With a mean of 0 over the first dimension."""
    return values - values.mean(0)


def _size(values: Tensor) -> Tensor:
    """Root mean square."""
    return values.square().mean().sqrt()


def _floor(means: Tensor, rating: Tensor, error: Tensor, context: DataContext) -> list[str]:
    """What the noise of the test split leaves to the best model, and to the best linear one."""
    if not context.is_new:
        return []
    test = context.indices(torch.zeros(len(rating), dtype=torch.int64))["test"]
    noise, linear = (float(_size(x[test])) for x in (error, (rating - means)))
    above = f" ({linear / noise - 1:.1%} above)" if noise else ""
    return [
        f"test RMSE that noise leaves: {noise:.4f}; without pairs of columns: {linear:.4f}{above}"
    ]
