"""Metrics of labels against scikit-learn's, weights, and what is predicted."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from torch import nn

from zoo.errors import UserError
from zoo.tasks.multi_label import MultiLabel
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
MODEL = nn.Identity()  # the inputs are the logits
NAMES = ["action", "comedy", "rare", "never"]


def samples(number=53):
    """Logits with ties, and labels that depend on them; nobody has the last."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(number, 4, generator=generator).mul(2).round() / 2
    noise = torch.randn(number, 4, generator=generator)
    return logits, (logits + noise > torch.tensor([0.0, 0.5, 2.0, 99.0])).float()


def evaluated(task, logits, target, sizes=(25, 25, 3)):
    parts = zip(logits.split(sizes), target.split(sizes), strict=True)
    batches = ({"input": x, "target": y} for x, y in parts)
    return evaluate(MODEL, task, batches, Precision("fp32", RUNTIME.device), RUNTIME)


def test_metrics_agree_with_scikit_learn():
    logits, target = samples()
    task = MultiLabel(NAMES, [20, 20, 5, 0], 53, threshold=0.6)
    means = evaluated(task, logits, target)
    figures = task.summarize(means)
    said = (logits.sigmoid() >= 0.6).int()
    micro, macro = (
        metrics.f1_score(target, said, average=average, zero_division=0.0)
        for average in ("micro", "macro")
    )
    each = metrics.average_precision_score(target[:, :3], logits[:, :3], average=None)
    expected = {
        "loss": float(F.binary_cross_entropy_with_logits(logits, target)),
        "subset_accuracy": metrics.accuracy_score(target, said),
        "micro_f1": micro,
        "macro_f1": macro,
        "average_precision": each.mean(),
    }
    assert figures == pytest.approx(expected, rel=1e-6)
    rows = task.details(means)["labels"]
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        target, said, zero_division=0.0
    )
    for k, name in enumerate(NAMES):
        assert rows[name]["precision"] == pytest.approx(precision[k])
        assert rows[name]["recall"] == pytest.approx(recall[k])
        assert rows[name]["f1"] == pytest.approx(f1[k]) and rows[name]["support"] == support[k]
        assert rows[name]["prevalence"] == pytest.approx(support[k] / 53)
    found = [rows[name]["average_precision"] for name in NAMES]
    assert found[:3] == pytest.approx(list(each)) and found[3] is None


def test_a_split_in_which_nobody_has_a_label_has_figures():
    task = MultiLabel(NAMES, [0] * 4, 5)
    figures = task.summarize(evaluated(task, torch.zeros(5, 4) - 1, torch.zeros(5, 4), (5,)))
    assert figures["average_precision"] == 0.0 and figures["subset_accuracy"] == 1.0


def test_weights_change_training_alone():
    logits, target = samples()
    batch = {"input": logits, "target": target}
    task = MultiLabel(NAMES, [20, 10, 5, 0], 53, pos_weight="balanced")
    weight = torch.tensor([33 / 20, 43 / 10, 48 / 5, 1.0])
    expected = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight)
    output = task.step(nn.Identity().train(), batch)
    assert float(output.loss_sum / output.count) == pytest.approx(float(expected), rel=1e-6)
    plain = task.step(nn.Identity().eval(), batch)
    assert float(plain.loss_sum / plain.count) == pytest.approx(
        float(F.binary_cross_entropy_with_logits(logits, target)), rel=1e-6
    )
    given = MultiLabel(NAMES, [20, 10, 5, 0], 53, pos_weight=weight.tolist())
    assert torch.equal(given.weights, task.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pos_weight": [1.0, 2.0]}, "expected 4 numbers above 0, one for each of action, comedy"),
        ({"pos_weight": [1.0, 2.0, 0.0, 1.0]}, "numbers above 0"),
        ({"threshold": 1.0}, "task.threshold: got 1.0, expected a number between 0 and 1"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(UserError, match=message):
        MultiLabel(NAMES, [1] * 4, 9, **options)


def test_predictions_are_the_labels_above_the_threshold():
    task = MultiLabel(["a", "b"], [1, 1], 4, threshold=0.4)
    none, some = task.predict(MODEL, {"input": torch.tensor([[-5.0, -5.0], [0.0, -1.0]])})
    assert none["labels"] == [] and some["labels"] == ["a"]
    assert some["probabilities"] == pytest.approx({"a": 0.5, "b": 0.26894}, rel=1e-4)


def test_the_trivial_answer_gives_each_label_its_share_of_the_training_samples():
    """By numpy: one row of probabilities for all samples, each label counted once more than it is,
    so that none is impossible."""
    logits, target = samples()
    task = MultiLabel(NAMES, [50, 20, 5, 0], 53)
    found = task.baseline(evaluated(task, logits, target))
    share = (np.array([50, 20, 5, 0]) + 1) / (53 + 2)
    y = target.double().numpy()
    loss = -(y * np.log(share) + (1 - y) * np.log(1 - share)).mean()
    said = np.broadcast_to(share >= 0.5, y.shape)  # the first label, always
    f1 = metrics.f1_score(y, said, average=None, zero_division=0.0)
    expected = {
        "loss": loss,
        "subset_accuracy": (said == y).all(1).mean(),
        "micro_f1": 2 * (said & (y == 1)).sum() / (said.sum() + y.sum()),
        "macro_f1": f1.mean(),
        "average_precision": y[:, :3].mean(),  # nobody has the last
    }
    assert found.name == "label frequencies" and said.sum() == 53
    assert found.metrics == pytest.approx(expected, rel=1e-6)
