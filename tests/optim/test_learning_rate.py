"""The schedule sets the rate of every group, after a restore too."""

import pytest
from toys import mixed, optimizer_step

from zoo.optim.learning_rate import LearningRate
from zoo.optim.state import load_optimizer, optimizer_tensors
from zoo.registry import OPTIMIZERS, SCHEDULES

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS.names())


@every_optimizer
def test_the_schedule_scales_every_groups_peak(name):
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": name}, model=model)
    peaks = [g["lr"] for g in optimizer.param_groups]
    rate = LearningRate(optimizer, SCHEDULES.build({"name": "linear"}))
    for progress in (0.0, 0.25, 0.9, 1.0, 1.7):
        rate.set(progress)
        expected = [peak * (1 - min(1.0, progress)) for peak in peaks]
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx(expected)
        assert rate.now == pytest.approx(expected[0])


@every_optimizer
def test_the_schedule_still_rules_after_a_restore(name):
    """load_state_dict makes new groups; a rate set on the old ones would change nothing."""
    model = mixed()
    optimizer = OPTIMIZERS.build({"name": name}, model=model)
    names = {id(p): n for n, p in model.named_parameters()}
    rate = LearningRate(optimizer, SCHEDULES.build({"name": "linear"}))
    peaks = [g["lr"] for g in optimizer.param_groups]
    rate.set(0.5)
    optimizer_step(model, optimizer)
    load_optimizer(optimizer, names, optimizer_tensors(optimizer, names))
    rate.set(0.75)
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([p / 4 for p in peaks])
