"""What holds for every registered model: two ranks have the gradient of one process."""

import copy
from unittest import mock

import forked
import pytest
import torch
from test_every_model import CASES, make
from torch import nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from toys import CPU, HERE

from zoo.tasks.examples import SAMPLES
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients, prepare_task, wrapped

FP32 = Precision("fp32", CPU)
NUMBERS_OF_A_RANK = {  # cases in whose steps each rank draws several kinds of random numbers
    "vae": "pixels and codes: tests/tasks/test_elbo.py adds up the parts of a batch",
    "word2vec": "noise words for all samples: tests/training/test_launch.py compares losses",
    "word2vec-cbow": "likewise",
}
SHARED_OUT = [name for name in CASES if name not in NUMBERS_OF_A_RANK]


def gradients(name, runtime, number=0):
    """Of one step on this rank's part of the batch, by name, and the loss: the same random numbers
    for a sample wherever it is."""
    model, task, example, *_ = make(name)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    split = [column.tensor_split(runtime.ranks) for column in tree_leaves(example.batch)]
    _, form = tree_flatten(example.batch)
    parts = [tree_unflatten(columns, form) for columns in zip(*split)]
    prepare_task(task, 1, runtime.ranks, SAMPLES)
    with mock.patch("torch.randn", row_by_row(torch.randn)):
        if not hasattr(task, "gather"):  # of a loss over the whole batch, which draws none
            task.step(copy.deepcopy(model), example.batch)  # what is tried once is tried now
            torch.manual_seed(1)
            for part in parts[:number]:  # the random numbers of the ranks before
                task.step(copy.deepcopy(model), part)
        network, window = wrapped(model, runtime, False), RunningMetrics()
        loss, _ = accumulate_gradients(network, task, [parts[number]], FP32, runtime, window)
    return {n: p.grad.clone() for n, p in model.named_parameters()} | {"loss": loss}


def row_by_row(randn):
    """`torch.randn` whose rows do not depend on how many there are."""

    def drawn(number, *shape, **options):
        return torch.stack([randn(*shape, **options) for _ in range(number)])

    return drawn


def rank(folder, number):
    runtime = Runtime.start("cpu")
    found = {name: gradients(name, runtime, number) for name in SHARED_OUT}
    torch.save(found, folder / f"{number}.pt")
    runtime.stop()
    return 0


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory):
    """The gradients of two ranks, of all cases."""
    folder = tmp_path_factory.mktemp("ranks")
    log = folder / "log"
    assert forked.call_ranks(log, rank, folder) == [0, 0], log.read_text()
    return [torch.load(folder / f"{number}.pt", weights_only=True) for number in range(2)]


@pytest.mark.parametrize("name", SHARED_OUT)
def test_two_ranks_have_the_gradient_of_one_process(name, of_ranks):
    whole = gradients(name, HERE)
    size = max(gradient.abs().max() for n, gradient in whole.items() if n != "loss")
    for found in of_ranks:
        assert float(found[name]["loss"]) == pytest.approx(float(whole["loss"]), rel=1e-5)
        for parameter, expected in whole.items():
            if parameter != "loss":
                difference = (found[name][parameter] - expected).abs().max()
                assert difference <= 1e-4 * size, f"{parameter}; or name it in NUMBERS_OF_A_RANK"
