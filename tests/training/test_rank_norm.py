"""Batch normalisation over ranks: as one process with the whole batch."""

import copy

import forked
import pytest
import torch
from torch import nn

from zoo.training.rank_norm import RankBatchNorm, share_batch_norms
from zoo.training.runtime import Runtime

LAYERS = {
    "of vectors": (lambda: nn.BatchNorm1d(3), (12, 3)),
    "of images": (lambda: nn.BatchNorm2d(3, momentum=None), (12, 3, 4, 2)),
    "without weights": (
        lambda: nn.BatchNorm1d(3, affine=False, track_running_stats=False),
        (12, 3),
    ),
}


def compare(folder, rank):
    """Rank 0 has 5 samples of 12, rank 1 has 7."""
    runtime = Runtime.start("cpu")
    own = slice(0, 5) if rank == 0 else slice(5, 12)
    for make, shape in LAYERS.values():
        torch.manual_seed(0)
        whole = make()
        shared = nn.Sequential(copy.deepcopy(whole))
        share_batch_norms(shared)
        for _ in range(2):
            x, weight = 3 + torch.randn(shape), torch.randn(shape)
            whole_x, own_x = x.clone().requires_grad_(), x[own].clone().requires_grad_()
            expected, found = whole(whole_x), shared(own_x)
            torch.testing.assert_close(found, expected[own])
            (expected * weight).sum().backward()
            (found * weight[own]).sum().backward()
            torch.testing.assert_close(own_x.grad, whole_x.grad[own])
        for p, expected in zip(shared.parameters(), whole.parameters()):
            torch.testing.assert_close(runtime.sum(p.grad), expected.grad)
        for buffer, expected in zip(shared.buffers(), whole.buffers()):
            torch.testing.assert_close(buffer, expected)
    runtime.stop()
    return 0


def test_ranks_normalise_as_one_process(tmp_path):
    log = tmp_path / "log"
    assert forked.call_ranks(log, compare, tmp_path) == [0, 0], log.read_text()


@pytest.mark.parametrize("name", LAYERS)
def test_evaluation_and_names_are_those_of_the_layer(name):
    make, shape = LAYERS[name]
    plain = nn.Sequential(make())
    shared = copy.deepcopy(plain)
    share_batch_norms(shared)
    assert isinstance(shared[0], RankBatchNorm)
    assert shared.state_dict().keys() == plain.state_dict().keys()
    x = torch.randn(shape)
    assert torch.equal(shared.eval()(x), plain.eval()(x))
