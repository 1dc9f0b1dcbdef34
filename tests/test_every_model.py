"""What holds for every registered model; a new one is tested by being registered.

A model's `register(..., task=, tiny=)` says how: `tiny` are arguments for a network of a few
parameters, facts included, and `task` is what it is trained for. The task's registration gives the
rest: `example` (zoo/tasks/examples.py), the loss that can be reached on it (`floor`) and whether
the samples of a batch are independent. A model's own registration may override the last two. A task
that no model is registered for names the `model` to try it with.
"""

import copy
import inspect
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from zoo.config.groups import CONFIG_DIR, read_yaml
from zoo.data.tokenizers.registry import train_tokenizer
from zoo.errors import UserError
from zoo.registry import MODELS, TASKS, Registry
from zoo.schema import bind, parameters
from zoo.tasks.base import StepOutput, Task
from zoo.tasks.examples import SAMPLES, TaskExample
from zoo.training.checkpoint import load_model, model_tensors

OTHERS = {  # tasks that no model is registered for, with the model that they name
    f"{TASKS[task].tests['model']}-{task}": (TASKS[task].tests["model"], task)
    for task in set(TASKS.names()) - {MODELS[name].tests["task"] for name in MODELS.names()}
}
DEEP = [name for name in MODELS.names() if "depth" in parameters(MODELS[name].builder)]
every_model = pytest.mark.parametrize("name", MODELS.names())
CASES = [*MODELS.names(), *sorted(OTHERS)]
every_case = pytest.mark.parametrize("name", CASES)


class Case(NamedTuple):
    """A tiny model and what to try it with.

    Attributes:
        model: In training mode.
        task: What it is trained for.
        example: The task's example data.
        floor: The mean loss that the model reaches on the example's batch.
        independent: Whether the output of a sample does not depend on the rest of its batch.
    """

    model: nn.Module
    task: Task
    example: TaskExample
    floor: float
    independent: bool

    def outputs(self, batch=None):
        """The model's outputs in evaluation, of the example's batch or another one."""
        batch = self.example.batch if batch is None else batch
        return self.model.eval()(*self.example.inputs(batch))


def make(name, seed=0, **options):
    """What the registrations of a model and of its task say, built from a seed; with options of
    the model."""
    model, task = OTHERS.get(name) or (name, MODELS[name].tests.get("task"))
    tests = MODELS[model].tests
    assert set(tests) >= {"task", "tiny"}, f"register('{model}') needs task= and tiny="
    tests = TASKS[task].tests | tests
    missing = {"example", "floor", "independent"} - set(tests)
    assert not missing, f"TASKS.register('{task}') lacks {sorted(missing)}"
    torch.manual_seed(seed)
    example = tests["example"](tests["tiny"], train_tokenizer)
    model = MODELS.build({"name": model, **tests["tiny"], **options})
    task = TASKS.build({"name": task}, **example.facts)
    return Case(model, task, example, tests["floor"], tests["independent"])


@every_case
def test_is_tiny_and_gives_one_row_a_sample(name):
    case = make(name)
    assert 0 < sum(p.numel() for p in case.model.parameters()) < 10_000
    outputs = case.outputs()
    assert all(len(output) == SAMPLES for output in tree_leaves(outputs))
    if case.example.output_shape is not None:
        shapes = tree_map(lambda output: tuple(output.shape[1:]), outputs)
        assert shapes == case.example.output_shape


@every_case
def test_the_loss_is_finite_and_reaches_every_parameter(name):
    model, task, example, *_ = make(name)
    with torch.no_grad():  # a head may start at nearly zero, which would hide what lies below
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    output = task.step(model.train(), example.batch)
    assert torch.isfinite(output.loss_sum) and output.count > 0
    output.loss_sum.backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not dead


@pytest.mark.parametrize("name", DEEP)
def test_a_network_without_blocks_works_or_is_refused(name):
    try:
        model, task, example, *_ = make(name, depth=0)
    except UserError as error:
        assert "depth" in str(error)
        return
    assert torch.isfinite(task.step(model.train(), example.batch).loss_sum)


@every_case
def test_memorises_a_batch(name):
    model, task, example, floor, _ = make(name)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    model.train()
    losses = []
    for _ in range(300):
        output = task.step(model, example.batch)
        loss = output.loss_sum / output.count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 < floor  # a mean: some tasks draw their targets at random


@every_case
def test_samples_do_not_see_each_other_in_evaluation(name):
    case = make(name)
    if not case.independent:
        pytest.skip("registered with independent=False")
    together = case.outputs()
    for k in range(SAMPLES):
        alone = case.outputs(tree_map(lambda column, k=k: column[k : k + 1], case.example.batch))
        torch.testing.assert_close(tree_map(lambda row, k=k: row[k : k + 1], together), alone)


@every_case
def test_runs_in_double_precision_and_agrees(name):
    case = make(name)
    single = tree_map(torch.Tensor.double, case.outputs())
    batch = tree_map(lambda x: x.double() if x.is_floating_point() else x, case.example.batch)
    double = case._replace(model=copy.deepcopy(case.model).double()).outputs(batch)
    assert all(output.dtype == torch.float64 for output in tree_leaves(double))
    torch.testing.assert_close(single, double, rtol=1e-4, atol=1e-5)


@every_model
def test_a_seed_decides_the_weights(name):
    weights = [make(name, seed).model.state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@every_model
def test_weights_come_back_from_a_checkpoint(name):
    case, other = make(name), make(name, seed=1)
    tensors = model_tensors(case.model.state_dict())
    load_model(other.model, {n: t.clone() for n, t in tensors.items()}, Path())
    torch.testing.assert_close(case.outputs(), other.outputs(case.example.batch), rtol=0, atol=0)


@every_model
def test_its_yaml_builds_it_with_facts(name):
    tiny = MODELS[name].tests["tiny"]
    files = [read_yaml(path) for path in (CONFIG_DIR / "model").glob("*.yaml")]
    fitting = [content for content in files if content["name"] == name]
    assert fitting, f"no configs/model/*.yaml says name: {name}"
    for content in fitting:
        options = {k: value for k, value in content.items() if k not in ("name", "defaults")}
        facts = {key: value for key, value in tiny.items() if key not in options}
        arguments = bind(MODELS[name].builder, options, facts, "model", name)
        MODELS[name].builder(**arguments)


@every_model
def test_says_which_paper_and_how_it_differs(name):
    text = inspect.getdoc(inspect.getmodule(MODELS[name].builder)) or ""
    assert "http" in text or "arXiv" in text, "the module's docstring names no source"
    assert "Differs" in text, "the docstring does not say how the model differs from its source"
    assert "Shapes:" in text, "the docstring does not name the letters of the shapes"


# ------------------------------------------------ neither classes nor one tensor a sample


class Agreement:
    """Two views of a sample get codes alike, and each view can be restored from its own."""

    def step(self, model, batch):
        output = model(batch["views"])
        first, second = output["codes"]
        loss = (first - second).square().sum()
        for view, restored in zip(batch["views"], output["restored"]):
            loss = loss + F.mse_loss(restored, view, reduction="sum")
        return StepOutput(loss, torch.tensor(len(first)), {})


class Autoencoder(nn.Module):
    """Pairs of views to a dictionary of pairs; codes are centred over the batch."""

    def __init__(self, features, width):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(features, width), nn.Linear(width, features)

    def forward(self, views):
        codes = tuple(self.encoder(view) for view in views)
        codes = tuple(code - code.mean(0) for code in codes)
        return {"codes": codes, "restored": tuple(self.decoder(code) for code in codes)}


def two_views(tiny, make_tokenizer):
    """Views that differ by noise, so that no loss near zero can be reached."""
    view = torch.randn(SAMPLES, tiny["features"])
    views = (view, view + 0.5 * torch.randn_like(view))
    width, shape = (tiny["width"],), (tiny["features"],)
    output_shape = {"codes": (width, width), "restored": (shape, shape)}
    return TaskExample({}, {"views": views}, lambda batch: (batch["views"],), output_shape)


OF_ANY_MODEL = [
    test_is_tiny_and_gives_one_row_a_sample,
    test_memorises_a_batch,
    test_samples_do_not_see_each_other_in_evaluation,
    test_runs_in_double_precision_and_agrees,
    test_a_seed_decides_the_weights,
    test_weights_come_back_from_a_checkpoint,
]


@pytest.fixture
def register_views(monkeypatch):
    """Registers the task and the model above, as a plugin would, in registries of their own."""

    def register(**of_the_task):
        here = sys.modules[__name__]
        monkeypatch.setattr(here, "MODELS", Registry("model", "zoo.errors"))
        monkeypatch.setattr(here, "TASKS", Registry("task", "zoo.errors"))
        TASKS.register("agreement", example=two_views, **of_the_task)(Agreement)
        tiny = dict(features=3, width=3)
        MODELS.register("autoencoder", task="agreement", tiny=tiny)(Autoencoder)

    return register


@pytest.mark.parametrize("check", OF_ANY_MODEL, ids=lambda check: check.__name__)
def test_a_task_of_any_form_is_tried_as_it_registers(check, register_views):
    register_views(floor=2.0, independent=False)
    if check is test_samples_do_not_see_each_other_in_evaluation:
        with pytest.raises(pytest.skip.Exception):
            check("autoencoder")
    else:
        check("autoencoder")


@pytest.mark.parametrize(
    "check", [test_memorises_a_batch, test_samples_do_not_see_each_other_in_evaluation]
)
def test_a_task_that_registers_a_wrong_example_fails(check, register_views):
    register_views(floor=0.1, independent=True)
    with pytest.raises(AssertionError):
        check("autoencoder")
