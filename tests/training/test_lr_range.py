"""The learning-rate range test: the curve and the rate that it suggests."""

import math

import pytest
from toys import Masked, cloud, network, trainer_of

from zoo.errors import UserError
from zoo.training.lr_range import lr_range, suggest


def curve(rates, loss):
    return [(rate, loss(rate)) for rate in rates]


def logspace(low, high, count):
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


def test_suggests_where_a_sigmoid_falls_fastest():
    rates = logspace(1e-6, 1, 200)
    falling = curve(rates, lambda r: 2 / (1 + (r / 3e-3)))  # steepest in log r at 3e-3
    assert suggest(falling) == pytest.approx(3e-3, rel=0.25)


def test_what_happens_after_the_lowest_point_is_ignored():
    rates = logspace(1e-6, 1, 200)

    def loss(rate):
        fall = 2 / (1 + rate / 1e-3)
        return fall if rate < 0.05 else fall + 10 * math.sin(40 * rate)  # wild, with steep falls

    actual = curve([r for r in rates if r < 0.2], loss)
    lowest = min(actual, key=lambda point: point[1])[0]
    assert suggest(actual) <= lowest


class Density(Masked):
    """The same with losses below zero, as those of densities may be."""

    def step(self, model, batch):
        output = super().step(model, batch)
        return output._replace(loss_sum=output.loss_sum - 100 * output.count)


def test_losses_below_zero_are_no_divergence(tmp_path):
    trainer = trainer_of(tmp_path, cloud(), network(), Density())
    assert len(lr_range(trainer, 1e-6, 1e-4, 20)) == 20


def test_gradients_are_clipped_as_in_training(tmp_path):
    free, clipped = (
        lr_range(trainer_of(tmp_path, cloud(), network(), Masked(), clip=clip), 1e-3, 1e4, 30)
        for clip in (None, 1e-8)
    )
    assert len(free) < len(clipped) == 30


def test_batches_without_predictions_have_no_loss(tmp_path):
    data = cloud(train=16)
    data.splits["train"].columns["weight"][:8] = 0
    trainer = trainer_of(tmp_path, data, network(), Masked(), batch_size=1)
    assert 0 < len(lr_range(trainer, 1e-6, 1e-4, 16)) < 16
    assert trainer.step == 16


def test_a_rate_of_zero_is_refused(tmp_path):
    still = {"name": "sgd", "lr": 0.0}
    with pytest.raises(UserError, match="optim.lr=0"):
        lr_range(trainer_of(tmp_path, cloud(), network(), Masked(), optim=still), 1e-6, 1, 20)
