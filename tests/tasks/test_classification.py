"""Classification's metrics against scikit-learn's and torch's, over batches of unequal size."""

import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics
from torch import nn

from zoo.errors import UserError
from zoo.tasks.classification import Classification
from zoo.training.evaluate import evaluate
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

RUNTIME = Runtime(torch.device("cpu"))
MODEL = nn.Identity()  # the inputs are the logits


def make(classes=4, counts=None, **options):
    names = [f"class {k}" for k in range(classes)]
    return Classification(classes, names, counts or [1] * classes, **options)


def samples(number=101, classes=4, seed=0):
    """Logits that are right more often than not; one class is never predicted."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(classes, (number,), generator=generator)
    logits = torch.randn(number, classes, generator=generator)
    logits[torch.arange(number), target] += 1.0
    logits[:, classes - 1] -= 20
    return logits, target


def batches(logits, target, sizes=(40, 40, 20, 1)):
    for x, y in zip(logits.split(sizes), target.split(sizes), strict=True):
        yield {"input": x, "target": y}


def evaluated(task, logits, target, **options):
    return evaluate(
        MODEL, task, batches(logits, target, **options), Precision("fp32", RUNTIME.device), RUNTIME
    )


def trained(task, logits, target):
    """The loss while training, as a mean."""
    output = task.step(MODEL.train(), {"input": logits, "target": target})
    return float(output.loss_sum / output.count)


def test_evaluation_agrees_with_scikit_learn():
    logits, target = samples()
    task = make()
    figures = task.summarize(evaluated(task, logits, target))
    said = logits.argmax(1)
    expected = metrics.log_loss(target, logits.double().softmax(1), labels=range(4))
    assert figures["loss"] == pytest.approx(expected, rel=1e-6)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(target, said), rel=1e-12)
    assert set(figures) == {"loss", "accuracy", "balanced_accuracy", "macro_f1"}


def test_details_agree_with_scikit_learn():
    logits, target = samples()
    task = make()
    details = task.details(evaluated(task, logits, target))
    said = logits.argmax(1)
    assert 3 not in said and 3 in target
    assert details["confusion"] == metrics.confusion_matrix(target, said).tolist()
    expected = metrics.precision_recall_fscore_support(target, said, zero_division=0)
    for k, row in enumerate(details["classes"].values()):
        figures = [row["precision"], row["recall"], row["f1"], row["support"]]
        assert figures == pytest.approx([column[k] for column in expected], rel=1e-12)
        assert isinstance(row["support"], int)


def test_batches_of_unequal_size_add_up():
    logits, target = samples()
    task = make()
    parts = evaluated(task, logits, target)
    whole = evaluated(task, logits, target, sizes=(101,))
    assert parts.keys() == whole.keys()
    for name in whole:
        torch.testing.assert_close(parts[name], whole[name], rtol=1e-6, atol=0)


@pytest.mark.parametrize("classes", [9, 10, 12])
def test_top_five_from_ten_classes_on(classes):
    logits, target = samples(classes=classes)
    task = make(classes)
    figures = task.summarize(evaluated(task, logits, target))
    if classes < 10:
        assert "top5_accuracy" not in figures
        return
    expected = metrics.top_k_accuracy_score(target, logits, k=5, labels=range(classes))
    assert figures["top5_accuracy"] == pytest.approx(expected, rel=1e-12)
    assert figures["accuracy"] < figures["top5_accuracy"] < 1


def test_label_smoothing_is_for_training_alone():
    logits, target = samples()
    task = make(label_smoothing=0.2)
    share = torch.full((101, 4), 0.2 / 4).double()
    share[torch.arange(101), target] += 0.8
    expected = -(share * logits.double().log_softmax(1)).sum(1).mean()
    assert trained(task, logits, target) == pytest.approx(float(expected), rel=1e-6)
    plain = float(F.cross_entropy(logits.double(), target))
    assert task.summarize(evaluated(task, logits, target))["loss"] == pytest.approx(plain, rel=1e-6)


def test_balanced_weights_are_inverse_to_the_counts_and_of_mean_one():
    logits, target = samples()
    counts = torch.bincount(target).tolist()
    task = make(counts=counts, class_weights="balanced")
    weights = task.weights
    assert weights[target].mean().item() == pytest.approx(1, rel=1e-6)
    share = weights * torch.tensor(counts)
    torch.testing.assert_close(share, share.mean().expand(4))
    expected = F.cross_entropy(logits.double(), target, weights.double())  # divides by 101 too
    assert trained(task, logits, target) == pytest.approx(float(expected), rel=1e-5)
    plain = float(F.cross_entropy(logits.double(), target))
    assert task.summarize(evaluated(task, logits, target))["loss"] == pytest.approx(plain, rel=1e-6)


def test_given_weights_are_scaled_and_keep_the_smoothing():
    logits, target = samples()
    counts = [10, 20, 30, 40]
    task = make(counts=counts, class_weights=[1.0, 2.0, 3.0, 4.0], label_smoothing=0.1)
    scaled = torch.tensor([1.0, 2.0, 3.0, 4.0]) * 100 / (10 + 40 + 90 + 160)
    torch.testing.assert_close(task.weights, scaled)
    each = F.cross_entropy(logits.double(), target, reduction="none", label_smoothing=0.1)
    expected = float((each * scaled[target]).mean())
    assert trained(task, logits, target) == pytest.approx(expected, rel=1e-5)


def test_a_class_without_training_samples_does_not_spoil_balanced_weights():
    task = make(counts=[50, 50, 0, 100], class_weights="balanced")
    assert bool(torch.isfinite(task.weights).all())
    assert (task.weights * torch.tensor([50, 50, 0, 100])).sum() / 200 == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 1.0}, "task.label_smoothing: got 1.0"),
        ({"label_smoothing": -0.1}, "task.label_smoothing: got -0.1"),
        ({"class_weights": [1.0, 2.0]}, "expected 4 numbers"),
        ({"class_weights": [1.0, 2.0, 3.0, -1.0]}, "none negative"),
    ],
)
def test_wrong_options_are_explained(options, words):
    with pytest.raises(UserError, match=words):
        make(**options)


def test_predictions_name_the_class_and_all_probabilities():
    logits, _ = samples(3)
    rows = list(make().predict(MODEL, {"input": logits}))
    expected = logits.double().softmax(1)
    for row, probabilities in zip(rows, expected, strict=True):
        assert list(row["probabilities"]) == ["class 0", "class 1", "class 2", "class 3"]
        assert list(row["probabilities"].values()) == pytest.approx(
            probabilities.tolist(), abs=1e-6
        )
        assert row["class"] == f"class {int(probabilities.argmax())}"
        assert row["probability"] == max(row["probabilities"].values())


def test_one_class_is_refused():
    with pytest.raises(UserError, match="all samples are of one class, 'class 0'; expected two"):
        make(classes=1)
