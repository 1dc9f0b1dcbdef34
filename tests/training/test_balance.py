"""What balances experts after a step: exact however a batch is cut, and on every rank."""

import contextlib
from types import SimpleNamespace

import torch
from toys import CPU, HERE

from zoo.models.deepseek import DeepSeek
from zoo.registry import MODELS
from zoo.tasks.causal_lm import CausalLM
from zoo.training.balance import keep_balance
from zoo.training.precision import Precision
from zoo.training.step import RunningMetrics, accumulate_gradients

TINY = MODELS["deepseek"].tests["tiny"]


def biases(cuts, ranks=((0, 1, 2, 3),)):
    """After a step on four samples, cut into micro-batches of these sizes, of ranks in turn."""
    torch.manual_seed(0)
    task = CausalLM([1] * TINY["vocab_size"], None)
    batch = torch.randint(TINY["vocab_size"], (4, 9))
    models, trainers = [], []
    loads = {}

    def total(own):
        """As the sum over ranks, of counts that were noted before."""
        return sum(loads.values()) if len(ranks) > 1 else own

    for rows in ranks:
        torch.manual_seed(1)
        model = DeepSeek(**TINY).train()
        trainer = SimpleNamespace(
            model=model, runtime=SimpleNamespace(sum=total), watched=contextlib.nullcontext
        )
        keep_balance(trainer)
        parts = [{"input": part} for part in batch[list(rows)].split(cuts)]
        accumulate_gradients(model, task, parts, Precision("fp32", CPU), HERE, RunningMetrics())
        layers = [m for m in model.modules() if hasattr(m, "rebalance")]
        loads[rows] = torch.cat([layer.load for layer in layers])
        models.append(model)
        trainers.append(trainer)
    for trainer in trainers:
        with trainer.watched():
            pass
    found = [dict(model.named_buffers()) for model in models]
    assert not any(b.any() for buffers in found for n, b in buffers.items() if "load" in n)
    return [{n: b for n, b in buffers.items() if n.endswith("bias")} for buffers in found]


def test_micro_batches_and_ranks_give_the_same_bias():
    (whole,) = biases(4)
    assert whole and all(0 < b.abs().max() <= 0.001 for b in whole.values())
    for (other,) in (biases(1), biases(3)):
        assert all(torch.equal(other[name], b) for name, b in whole.items())
    for other in biases(2, ranks=((0, 1, 2), (3,))):
        assert all(torch.equal(other[name], b) for name, b in whole.items())


def test_a_model_without_experts_is_left_alone():
    trainer = SimpleNamespace(model=torch.nn.Linear(2, 2), watched=contextlib.nullcontext)
    keep_balance(trainer)
    assert trainer.watched is contextlib.nullcontext
