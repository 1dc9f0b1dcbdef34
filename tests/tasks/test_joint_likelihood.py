"""Joint likelihood: both losses, the trivial answer, and models that are no models of the input."""

import math

import pytest
import torch
from previews import Previews

from zoo.errors import UserError
from zoo.registry import MODELS, TASKS
from zoo.training.evaluate import means

FACTS = {"num_classes": 3, "class_names": ["a", "b", "c"], "class_counts": [2, 1, 1]}


def evaluated(model, batch):
    task = TASKS.build({"name": "joint_likelihood"}, **FACTS)
    with torch.no_grad():
        output = task.step(model.eval(), batch)
    return task, means([{"loss": output.loss_sum, "count": output.count} | output.sums])


def batch(*shape):
    generator = torch.Generator().manual_seed(0)
    return {
        "input": torch.randn(4, *shape, generator=generator),
        "target": torch.tensor([0, 1, 2, 0]),
    }


def test_the_loss_is_that_of_the_whole_sample_and_its_parts_add_up():
    model, data = MODELS.build({"name": "naive_bayes"}, input_shape=(2,), num_classes=3), batch(2)
    task, found = evaluated(model, data)
    metrics = task.summarize(found)
    with torch.no_grad():
        joint = model(data["input"])
    of_input = -joint.logsumexp(1).mean()  # -log p(x)
    assert metrics["loss"] == pytest.approx(float(metrics["cross_entropy"] + of_input), rel=1e-5)
    trained = task.step(model.train(), data)
    assert float(trained.sums["loss"]) == pytest.approx(4 * metrics["loss"], rel=1e-5)


def test_the_trivial_answer_knows_no_class():
    """One normal distribution for all, and the classes' shares."""
    model, data = MODELS.build({"name": "naive_bayes"}, input_shape=(2,), num_classes=3), batch(2)
    task, found = evaluated(model, data)
    trivial = task.baseline(found).metrics
    square = float(data["input"].square().sum(1).mean())
    assert trivial["loss"] - trivial["cross_entropy"] == pytest.approx(
        0.5 * square + math.log(2 * math.pi), rel=1e-5
    )
    assert trivial["accuracy"] == 0.5


def test_a_model_of_the_class_alone_is_refused():
    model = MODELS.build({"name": "mlp", "depth": 0}, input_shape=(2,), num_outputs=3)
    with pytest.raises(
        UserError, match="needs a model of inputs and classes together, such as mod"
    ):
        TASKS.build({"name": "joint_likelihood"}, **FACTS).step(model.train(), batch(2))


def test_the_means_of_images_are_drawn():
    model = MODELS.build({"name": "naive_bayes"}, input_shape=(1, 4, 4), num_classes=3)
    data, previews = batch(1, 4, 4), Previews()
    task, found = evaluated(model, data)
    with torch.no_grad():
        task.preview(model, data, found, previews)
    assert set(previews.figures) >= {"class_means", "confusion"}
