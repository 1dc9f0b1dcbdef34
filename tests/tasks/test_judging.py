"""What is drawn is judged on the images of the data: which ones, how many, and when not at all."""

import torch

from zoo.tasks.judging import (
    JudgedDrawings,
    judged_baseline,
    judged_details,
    judged_metrics,
)
from zoo.tasks.pixels import Pixels


class Copyist(JudgedDrawings):
    """Draws a square of the class's brightness."""

    def __init__(self, names=("a", "b")):
        self.class_names, self.pixels = list(names), Pixels([0.5], [0.25])
        self.asked = []

    def draw(self, model, classes, generator):
        self.asked.append(classes)
        return (60 + 120 * classes[:, None, None, None]).expand(-1, 1, 3, 3).to(torch.uint8)


def batches(labels, seed=0):
    """Standardised squares, brighter in class 1."""
    labels = torch.tensor(labels)
    generator = torch.Generator().manual_seed(seed)
    unit = (
        0.2
        + 0.5 * labels[:, None, None, None]
        + 0.1 * torch.rand(len(labels), 1, 3, 3, generator=generator)
    )
    inputs = (unit - 0.5) / 0.25
    return [{"input": i, "target": t} for i, t in zip(inputs.split(7), labels.split(7))]


LABELS = [0, 0, 1, 0, 1, 0, 0, 1] * 3


def test_classes_are_drawn_as_often_as_they_occur():
    task = Copyist()
    means = task.judge(None, batches(LABELS), batches(LABELS, 1))
    assert torch.cat(task.asked).tolist() == LABELS * 4  # no more than four times the images
    metrics = judged_metrics(means)
    assert metrics["drawn_accuracy"] == metrics["real_accuracy"] == 1
    assert metrics["accuracy_gap"] == 0 and metrics["smallest_class"] == 1
    assert set(judged_baseline(means)) == set(metrics)
    assert set(judged_details(means)["judged"]) == {"real", "drawn", "gaussians"}
    task.judge(None, batches(LABELS), batches(LABELS, 1), samples=9)
    assert task.asked[-1].tolist() == LABELS[:9]


def test_a_model_without_classes_is_judged_by_what_it_draws():
    metrics = judged_metrics(Copyist(()).judge(None, batches(LABELS), batches(LABELS, 1)))
    assert set(metrics) == {"smallest_class"}


def test_without_classes_in_the_data_there_is_nothing_to_judge():
    plain = [{"input": batch["input"]} for batch in batches(LABELS)]
    assert Copyist(()).judge(None, plain, plain) == {}
    assert Copyist().judge(None, batches([1] * 9), batches([1] * 9)) == {}
    assert judged_metrics({}) == judged_baseline({}) == judged_details({}) == {}


def test_classes_that_lie_together_are_drawn_as_often_as_they_occur():
    """Images of a folder are read class by class."""
    task, labels = Copyist(), sorted(LABELS * 4)  # 60 of class 0, 36 of class 1
    for samples in (32, 96 + 32):
        task.asked = []
        task.judge(None, batches(labels), batches(labels, 1), samples=samples)
        share = torch.cat(task.asked).double().mean()
        assert abs(float(share) - 36 / 96) < 0.1


def test_images_are_compared_in_full_whatever_precision_they_are_drawn_in():
    """Of a hundred images that differ a little, the nearest is found."""
    task, real = Copyist(), batches([0, 1] * 100)
    task.draw = lambda model, classes, generator: (
        (255 * torch.cat([0.25 * batch["input"] + 0.5 for batch in real]))
        .round()
        .to(torch.uint8)[: len(classes)]
    )
    with torch.autocast("cpu", torch.bfloat16):
        means = task.judge(None, real, batches([0, 1] * 20, 1), samples=100)
    assert means["judged/drawn/distance"] == 0 and means["judged/drawn/near"] == 1
