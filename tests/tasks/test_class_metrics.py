"""Balanced accuracy, macro F1 and AUC against scikit-learn; classes that a split lacks."""

import math
import warnings

import pytest
import torch
from sklearn import metrics
from sklearn.dummy import DummyClassifier

from zoo.tasks.class_metrics import balanced_accuracy, macro_f1, roc_auc
from zoo.tasks.classification import Classification


def confusion(target, said, classes):
    return torch.bincount(target * classes + said, minlength=classes**2).view(classes, classes)


@pytest.mark.parametrize("absent", [None, 0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_as_scikit_learn_also_without_a_class(seed, absent):
    draw = torch.Generator().manual_seed(seed)
    target, said = (torch.randint(4, (50,), generator=draw) for _ in range(2))
    if absent is not None:
        target[target == absent] = 3
        said[said == absent] = absent if seed % 2 else 1  # predicted, or not even that
    counts = confusion(target, said, 4).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of predicted classes without samples
        expected = metrics.balanced_accuracy_score(target, said)
    assert balanced_accuracy(counts) == pytest.approx(expected, rel=1e-12)
    assert macro_f1(counts) == pytest.approx(metrics.f1_score(target, said, average="macro"))


@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_auc_as_scikit_learn_with_equal_scores(levels):
    draw = torch.Generator().manual_seed(levels)
    scores = torch.randint(levels, (300,), generator=draw).float()
    positive = torch.rand(300, generator=draw) < 0.1
    expected = metrics.roc_auc_score(positive, scores)
    assert float(roc_auc(scores, positive)) == pytest.approx(expected, rel=1e-12)
    assert float(roc_auc(torch.zeros(300), positive)) == 0.5


def test_auc_of_one_kind_of_sample_is_not_a_number():
    assert math.isnan(roc_auc(torch.arange(3.0), torch.ones(3, dtype=torch.bool)))


def test_the_trivial_answer_is_scikit_learns_dummy():
    draw = torch.Generator().manual_seed(1)
    train, target = ((torch.rand(200, generator=draw) < 0.2).long() for _ in range(2))
    task = Classification(2, ["no", "yes"], torch.bincount(train).tolist())
    logits = torch.randn(200, 2, generator=draw)
    output = task.step(torch.nn.Identity().eval(), {"input": logits, "target": target})
    sums = {"loss": output.loss_sum, "accuracy": output.sums["accuracy"]}
    sums["confusion"] = output.sums["confusion"]
    means = {name: value.double() / 200 for name, value in sums.items()}
    means |= {"count": torch.tensor(200.0)} | task.split_metrics(output.rows)
    assert float(means["auc"]) == pytest.approx(
        metrics.roc_auc_score(target, logits[:, 1] - logits[:, 0])
    )
    dummy = DummyClassifier(strategy="most_frequent").fit(train[:, None], train)
    said, trivial = dummy.predict(target[:, None]), task.baseline(means).metrics
    assert trivial["accuracy"] == pytest.approx(metrics.accuracy_score(target, said))
    assert trivial["balanced_accuracy"] == pytest.approx(0.5) == trivial["auc"]
    assert trivial["macro_f1"] == pytest.approx(metrics.f1_score(target, said, average="macro"))
    prior = DummyClassifier(strategy="prior").fit(train[:, None], train)
    expected = metrics.log_loss(target, prior.predict_proba(target[:, None]))
    assert trivial["loss"] == pytest.approx(expected, abs=2e-3)  # each class is counted once more
