"""A loss that is a function of the whole batch: never cut, and gathered over ranks."""

import forked
import pytest
import torch
import torch.nn.functional as F
from toys import CPU, HERE, cloud, network, trainer_of, weights

from zoo.errors import UserError
from zoo.registry import TASKS
from zoo.tasks.base import StepOutput, WholeBatchTask
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients, prepare_task, wrapped

FP32 = Precision("fp32", CPU)


class Contrastive(WholeBatchTask):
    """Each sample finds its other half among those of all samples (InfoNCE)."""

    monitor = "-loss"

    def step(self, model, batch):
        left, right = (F.normalize(model(x), dim=1) for x in batch["input"].chunk(2, dim=1))
        columns, start = self.gather(right)  # (M, D)
        target = start + torch.arange(len(left))
        logits = 5 * left @ columns.T  # (N, M)
        loss = F.cross_entropy(logits, target, reduction="sum")
        hits = (logits.argmax(1) == target).sum()
        return StepOutput(loss, torch.tensor(len(left)), {"accuracy": hits})

    def summarize(self, means):
        return {"loss": float(means["loss"]), "accuracy": float(means["accuracy"])}

    def details(self, means):
        return {}

    def preview(self, model, batch, means, writer):
        pass


def model_of():
    return network(outputs=3).double()


def batch_of(size=15):
    generator = torch.Generator().manual_seed(2)
    return {"input": torch.randn(size, 8, generator=generator, dtype=torch.float64)}


def gradients(model, task, batch, runtime=HERE):
    """Of one step, by name; and the loss."""
    loss, _ = accumulate_gradients(
        wrapped(model, runtime, False), task, [batch], FP32, runtime, RunningMetrics()
    )
    return {name: p.grad.clone() for name, p in model.named_parameters()} | {"loss": loss}


def rank(folder, number):
    """One of two, with eight samples or with the other seven."""
    runtime = Runtime.start("cpu")
    task = Contrastive()
    prepare_task(task, 1, runtime.ranks, 15)
    own = {name: column.tensor_split(2)[number] for name, column in batch_of().items()}
    model = model_of()
    torch.save(gradients(model, task, own, runtime), folder / f"{number}.pt")
    with torch.no_grad():  # as in evaluation, where ranks may have unequal numbers of batches
        for _ in range(1 + number):
            assert task.gather(own["input"]).start == 0
    del model
    runtime.stop()
    return 0


def test_two_ranks_give_the_gradient_of_the_whole_batch(tmp_path, record_property):
    log = tmp_path / "log"
    assert forked.call_ranks(log, rank, tmp_path) == [0, 0], log.read_text()
    by_rank = [torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in range(2)]
    whole = gradients(model_of(), Contrastive(), batch_of())
    apart = [gradients(model_of(), Contrastive(), {"input": half}) for half in halves()]
    for name, expected in whole.items():
        for own in by_rank:
            torch.testing.assert_close(own[name], expected, rtol=1e-6, atol=1e-9)
        if name != "loss":  # and what it would be were each rank to see its own alone
            assert (sum(half[name] for half in apart) - expected).abs().max() > 1e-3


def halves():
    return batch_of()["input"].tensor_split(2)


def test_a_batch_is_never_cut():
    with pytest.raises(UserError, match=r"trainer.accumulate=2: .* whole batch.*accumulate=1"):
        prepare_task(Contrastive(), 2, 1, 8)
    with pytest.raises(UserError, match="data.batch_size=1: .* several samples"):
        prepare_task(Contrastive(), 1, 1, 1)
    prepare_task(Contrastive(), 1, 1, 8)


@pytest.mark.parametrize("overfit", [False, True])
def test_one_process_trains_with_it(tmp_path, overfit):
    data = cloud(features=8)
    trainer = trainer_of(
        tmp_path, data, network(outputs=3), Contrastive(), eval_steps=3, overfit=overfit
    )
    before = weights(trainer.model)
    trainer.fit()
    assert any((before[n] != t).any() for n, t in weights(trainer.model).items())
    assert set(trainer.best.metrics) == {"loss", "accuracy"}


PLUGIN = """
from zoo.registry import TASKS
from zoo.tasks.base import WholeBatchTask
from zoo.tasks.classification import Classification

@TASKS.register("whole")
class Whole(Classification, WholeBatchTask):
    pass
"""


def test_a_run_is_refused_before_it_begins(train, tmp_path, monkeypatch):
    (tmp_path / "my_whole_batch.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    TASKS.names()
    monkeypatch.setattr(TASKS, "_entries", dict(TASKS._entries))
    done = train(
        "model=mlp", "data=rain", "data.samples=100", "task.name=whole", "trainer.max_steps=2",
        "plugins=[my_whole_batch]", "trainer.accumulate=2", "trainer.precision=fp32",
    )  # fmt: skip
    assert done.code == 2 and done.err.count("\n") == 1, done.err
    assert "trainer.accumulate=2" in done.err and "whole batch" in done.err
    assert not list(train.outputs.rglob("config.yaml"))
