"""FusedAdamW is torch.optim.AdamW, bit for bit, in whatever way it takes."""

import copy
import sys

import torch
from torch import nn

from zoo.optim.fused_adamw import FusedAdamW


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))


def groups(network):
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim == 1]
    return [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]


def optimizers(network):
    twin = copy.deepcopy(network)
    options = dict(lr=1e-2, betas=(0.8, 0.95), eps=1e-6, fused=True)
    fused = FusedAdamW(groups(network), **options)
    return (network, fused), (twin, torch.optim.AdamW(groups(twin), **options))


def steps(pairs, count, start=0, keep=lambda step, name: True):
    for step in range(start, start + count):
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(step))
        for network, optimizer in pairs:
            network.zero_grad()
            network(x).square().sum().backward()
            for name, parameter in network.named_parameters():
                if not keep(step, name):
                    parameter.grad = None
            for group in optimizer.param_groups:
                group["lr"] = 1e-2 / (1 + step)
            optimizer.step()


def assert_equal(pairs):
    (fused, fused_optimizer), (reference, reference_optimizer) = pairs
    for a, b in zip(fused.parameters(), reference.parameters()):
        assert torch.equal(a, b)
        for key in ("step", "exp_avg", "exp_avg_sq"):
            assert torch.equal(fused_optimizer.state[a][key], reference_optimizer.state[b][key]), (
                key
            )


def test_equals_torch_bit_for_bit():
    pairs = optimizers(model())
    steps(pairs, 20)
    assert_equal(pairs)


def test_a_parameter_without_gradient_is_left_alone():
    pairs = optimizers(model())
    steps(pairs, 10, keep=lambda step, name: step % 3 != 1 or name != "2.bias")
    assert_equal(pairs)


def test_resumes_from_a_state_dict_of_torch():
    pairs = optimizers(model())
    (fused, fused_optimizer), (reference, reference_optimizer) = pairs
    steps(pairs[1:], 5)
    fused.load_state_dict(reference.state_dict())
    steps(pairs[:1], 1)  # its lists are collected, and must be dropped by the loading
    fused.load_state_dict(reference.state_dict())
    fused_optimizer.load_state_dict(copy.deepcopy(reference_optimizer.state_dict()))
    steps(pairs, 5, start=5)
    assert_equal(pairs)


def test_mixed_dtypes_go_torchs_way():
    network = model().to(torch.float32)
    network[2].double()
    network.forward = lambda x: network[2](network[1](network[0](x)).double())
    optimizer = FusedAdamW(groups(network), lr=1e-2, fused=True)
    before = [p.detach().clone() for p in network.parameters()]
    steps([(network, optimizer)], 3)
    assert all(not torch.equal(a, b) for a, b in zip(before, network.parameters()))


def test_the_compiler_is_not_imported(tmp_path):
    """In a process of its own: this one may have imported it already."""
    import subprocess

    code = (
        "import sys, torch; from zoo.optim.fused_adamw import FusedAdamW\n"
        "p = torch.nn.Parameter(torch.ones(3)); o = FusedAdamW([p], fused=True)\n"
        "p.sum().backward(); o.step(); sys.exit('torch._dynamo' in sys.modules)"
    )
    from support import ROOT

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_loss_scaling_goes_torchs_way():
    network = model()
    optimizer = FusedAdamW(groups(network), lr=1e-2, fused=True)
    steps([(network, optimizer)], 1)
    before = [p.detach().clone() for p in network.parameters()]
    optimizer.found_inf = torch.tensor(1.0)  # as GradScaler says: the gradients overflowed
    optimizer.grad_scale = torch.tensor(1.0)
    steps([(network, optimizer)], 1, start=1)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters()))
