"""Regression's metrics against scikit-learn's, in the target's own units."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from torch import nn

from zoo.tasks.regression import Regression
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
MODEL = nn.Identity()  # the inputs are the (standardised) predictions
MEAN, STD = 150.0, 40.0


def samples(number=53):
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(number, 1, generator=generator)
    return target + 0.5 * torch.randn(number, 1, generator=generator), target


def evaluated(task, predicted, target, sizes=(25, 25, 3)):
    parts = zip(predicted.split(sizes), target.split(sizes), strict=True)
    batches = ({"input": x, "target": y} for x, y in parts)
    return evaluate(MODEL, task, batches, Precision("fp32", RUNTIME.device), RUNTIME)


def test_metrics_agree_with_scikit_learn_in_the_targets_units():
    predicted, target = samples()
    task = Regression(MEAN, STD)
    figures = task.summarize(evaluated(task, predicted, target))
    true, said = (x.double() * STD + MEAN for x in (target, predicted))
    assert figures["r2"] == pytest.approx(metrics.r2_score(true, said), rel=1e-9)
    assert figures["rmse"] == pytest.approx(metrics.root_mean_squared_error(true, said), rel=1e-6)
    assert figures["mae"] == pytest.approx(metrics.mean_absolute_error(true, said), rel=1e-6)
    squared = metrics.mean_squared_error(target, predicted)
    assert figures["loss"] == pytest.approx(squared, rel=1e-6)


def test_batches_of_unequal_size_add_up():
    predicted, target = samples()
    task = Regression(MEAN, STD)
    parts = evaluated(task, predicted, target)
    whole = evaluated(task, predicted, target, sizes=(53,))
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "function"),
    [("squared", F.mse_loss), ("absolute", F.l1_loss), ("huber", F.huber_loss)],
)
def test_the_loss_is_the_named_one(name, function):
    predicted, target = samples()
    output = Regression(MEAN, STD, loss=name).step(MODEL, {"input": predicted, "target": target})
    expected = function(predicted.double(), target.double())
    assert float(output.loss_sum / output.count) == pytest.approx(float(expected), rel=1e-6)


def test_several_outputs_count_each():
    predicted, target = torch.randn(5, 3), torch.randn(5, 3)
    output = Regression(MEAN, STD, num_outputs=3).step(
        MODEL, {"input": predicted, "target": target}
    )
    assert int(output.count) == 15
    assert float(output.sums["absolute_error"]) == pytest.approx(
        float((predicted - target).double().abs().sum())
    )


def test_training_sums_give_errors_but_no_r2():
    predicted, target = samples()
    task = Regression(MEAN, STD)
    output = task.step(nn.Identity().train(), {"input": predicted, "target": target})
    means = {n: v / output.count for n, v in ({"loss": output.loss_sum} | output.sums).items()}
    assert set(task.summarize(means)) == {"loss", "rmse", "mae"}


def test_r2_of_targets_that_are_all_alike_is_not_a_number():
    task = Regression(MEAN, STD)
    figures = task.summarize(evaluated(task, torch.zeros(4, 1), torch.ones(4, 1), sizes=(4,)))
    assert figures["r2"] != figures["r2"]


def test_predictions_are_in_the_targets_units():
    task = Regression(MEAN, STD)
    assert list(task.predict(MODEL, {"input": torch.tensor([[0.0], [1.5]])})) == [
        {"value": 150.0},
        {"value": 210.0},
    ]
    two = list(task.predict(MODEL, {"input": torch.tensor([[0.0, -1.0]])}))
    assert two == [{"value": [150.0, 110.0]}]


def test_predictions_keep_the_digits_of_large_targets():
    task = Regression(1.7e9, 10.0)
    rows = task.predict(MODEL, {"input": torch.tensor([[0.0], [0.05], [-1.0]])})
    assert [row["value"] for row in rows] == pytest.approx([17e8, 17e8 + 0.5, 17e8 - 10], abs=1e-4)
    both = Regression([1.7e9, 0.0], [10.0, 1e-15], 2, ["moment", "charge"])
    (row,) = both.predict(MODEL, {"input": torch.tensor([[0.5, 2.0]])})
    assert row["values"] == pytest.approx({"moment": 17e8 + 5, "charge": 2e-15}, rel=1e-12)


def test_several_targets_have_metrics_in_their_own_units():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(53, 2, generator=generator)
    predicted = target + torch.randn(53, 2, generator=generator) * torch.tensor([0.5, 0.1])
    mean, std = [150.0, 2.0], [40.0, 0.5]
    task = Regression(mean, std, 2, ["price", "rate"])
    means = evaluated(task, predicted, target)
    figures = task.summarize(means)
    true, said = (x.double() * torch.tensor(std) + torch.tensor(mean) for x in (target, predicted))
    assert figures["r2"] == pytest.approx(metrics.r2_score(true, said), rel=1e-6)
    squared = metrics.mean_squared_error(target, predicted)
    assert figures["loss"] == pytest.approx(squared, rel=1e-6) and "rmse" not in figures
    for k, name in enumerate(["price", "rate"]):
        pair = true[:, k], said[:, k]
        expected = {
            "rmse": metrics.root_mean_squared_error(*pair),
            "mae": metrics.mean_absolute_error(*pair),
            "r2": metrics.r2_score(*pair),
        }
        for metric, value in expected.items():
            assert figures[f"{metric}/{name}"] == pytest.approx(value, rel=1e-5)
        assert task.details(means)["targets"][name] == pytest.approx(expected, rel=1e-5)
    (row,) = task.predict(MODEL, {"input": torch.tensor([[1.0, -1.0]])})
    assert row == {"values": {"price": 190.0, "rate": 1.5}}


def test_many_targets_are_in_the_details_alone():
    names = [f"t{k}" for k in range(9)]
    task = Regression([0.0] * 9, [1.0] * 9, 9, names)
    means = evaluated(task, torch.zeros(6, 9), torch.randn(6, 9), sizes=(6,))
    assert set(task.summarize(means)) == {"loss", "r2"}
    assert list(task.details(means)["targets"]) == names


def test_the_trivial_answer_is_the_mean_of_the_training_targets():
    """By numpy, in the target's units: it is off by what the test split differs from the mean."""
    predicted, target = samples()
    task = Regression(MEAN, STD)
    baseline = task.baseline(evaluated(task, predicted, target))
    y = target[:, 0].double().numpy() * STD + MEAN
    expected = {
        "loss": np.mean(((y - MEAN) / STD) ** 2),
        "rmse": np.sqrt(np.mean((y - MEAN) ** 2)),
        "mae": np.mean(np.abs(y - MEAN)),
        "r2": 1 - np.sum((y - MEAN) ** 2) / np.sum((y - y.mean()) ** 2),
    }
    assert baseline.name == "mean target" and expected["r2"] < 0
    assert baseline.metrics == pytest.approx(expected, rel=1e-6)


def test_several_targets_have_the_mean_of_each_as_their_trivial_answer():
    generator = torch.Generator().manual_seed(1)
    target = torch.randn(53, 2, generator=generator) + torch.tensor([0.5, -1.0])
    means, scales = [150.0, -3.0], [40.0, 0.2]
    task = Regression(means, scales, target_names=["price", "rent"], loss="absolute")
    found = task.baseline(evaluated(task, target * 0.9, target)).metrics
    y = target.double().numpy() * scales + means
    r2 = 1 - ((y - means) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)
    mae = np.abs(y - means).mean(0)
    assert found["loss"] == pytest.approx((mae / scales).mean(), rel=1e-6)
    assert found["r2"] == pytest.approx(r2.mean(), rel=1e-6)
    for k, name in enumerate(("price", "rent")):
        assert found[f"mae/{name}"] == pytest.approx(mae[k], rel=1e-6)
        assert found[f"r2/{name}"] == pytest.approx(r2[k], rel=1e-6)
