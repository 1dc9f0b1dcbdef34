"""What holds for every registered task, tried with a tiny model on its example data."""

import json
import math

import pytest
import torch
from previews import Previews
from test_every_model import OTHERS, make
from torch.utils._pytree import tree_leaves

from zoo.registry import MODELS, TASKS
from zoo.tasks.base import HasBaseline, LearnsBaseline, SplitMetrics
from zoo.tasks.examples import SAMPLES
from zoo.training.evaluate import means as divide_sums

NAMES = {MODELS[name].tests["task"]: name for name in MODELS.names()}
NAMES |= {task: name for name, (_, task) in OTHERS.items()}
every_task = pytest.mark.parametrize("name", TASKS.names())


def evaluated(name):
    """A case and the means of an evaluation."""
    case = make(NAMES[name])
    if isinstance(case.task, LearnsBaseline):
        case.task.learn_baseline(case.task.baseline_counts(case.example.batch))
    with torch.no_grad():
        output = case.task.step(case.model.eval(), case.example.batch)
    sums = {"loss": output.loss_sum, "count": output.count} | output.sums
    means = divide_sums([sums])
    if isinstance(case.task, SplitMetrics):
        means |= case.task.split_metrics(dict(output.rows))
    return case, means


@every_task
def test_metrics_are_finite_and_the_monitored_one_is_among_them(name):
    case, means = evaluated(name)
    metrics = case.task.summarize(means)
    assert all(math.isfinite(value) for value in metrics.values())
    assert case.task.monitor.removeprefix("-") in metrics and "loss" in metrics


@every_task
def test_a_trivial_answer_is_stated_in_the_same_metrics(name):
    case, means = evaluated(name)
    assert isinstance(case.task, HasBaseline), f"{name}: state what a trivial answer reaches"
    baseline, metrics = case.task.baseline(means), case.task.summarize(means)
    assert baseline.name and set(baseline.metrics) == set(metrics)
    assert all(math.isfinite(value) for value in baseline.metrics.values())


@every_task
def test_a_training_step_has_the_same_sums_but_for_costlier_ones(name):
    case, means = evaluated(name)
    output = case.task.step(case.model.train(), case.example.batch)
    assert set(output.sums) <= set(means)
    assert not any(leaf.requires_grad for leaf in tree_leaves(output.sums))


@every_task
def test_details_and_predictions_are_json(name):
    case, means = evaluated(name)
    json.dumps(case.task.details(means))
    column, *_ = case.example.batch
    prepared = {column: case.example.inputs(case.example.batch)[0]}  # no targets, no token to spare
    with torch.no_grad():
        rows = list(case.task.predict(case.model, prepared))
    assert len(rows) == SAMPLES and all(isinstance(row, dict) for row in rows)
    json.dumps(rows)


@every_task
def test_previews_are_figures_and_texts(name):
    case, means = evaluated(name)
    previews = Previews()
    with torch.no_grad():
        case.task.preview(case.model, case.example.batch, means, previews)
    assert all(figure.axes for figure in previews.full.values())
    assert all(figure.axes or len(figure.texts) > 1 for figure in previews.figures.values())
    assert all(previews.texts.values())
