"""One batch has one gradient, however it is cut; evaluation repeats and leaves no trace."""

import json
import time

import forked
import pytest
import torch
from torch import nn
from toys import CPU, HERE, Masked, cloud, network, same, trainer_of, weights

from zoo.errors import UserError
from zoo.training import finish
from zoo.training.checkpoint import read
from zoo.training.evaluate import evaluate
from zoo.training.loader import Loader
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime, rng_state
from zoo.training.step import RunningMetrics, _buffers_agree, accumulate_gradients, wrapped

FP32 = Precision("fp32", CPU)
SLOW_SGD = {"name": "sgd", "lr": 0.01, "weight_decay": 0.0}  # Adam would hide a wrong scale


def relative_error(actual, true):
    error = sum((a.double() - b).square().sum() for a, b in zip(actual, true))
    return float((error / sum(b.square().sum() for b in true)).sqrt())


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


def cut(batch, counts):
    parts = {name: column.split(counts) for name, column in batch.items()}
    return [{name: columns[k] for name, columns in parts.items()} for k in range(len(counts))]


def uneven_batch():
    """32 samples of three predictions; in the last micro-batch hardly any of them counts."""
    generator = torch.Generator().manual_seed(3)
    weight = (torch.rand(32, 3, generator=generator) < 0.8).float()
    weight[24:] = 0
    weight[24, 0] = 1
    x = torch.randn(32, 4, generator=generator)
    return {"input": x, "target": 5 * torch.randn(32, 3, generator=generator), "weight": weight}


def true_gradient(batch):
    """In float64, in one piece, by the definition: the mean over all predictions that count."""
    model = network(outputs=3).double()
    wide = {name: column.double() for name, column in batch.items()}
    error = (model(wide["input"]) - wide["target"]).square() * wide["weight"]
    (error.sum() / wide["weight"].sum()).backward()
    return gradients(model)


@pytest.mark.parametrize("counts", [[32], [16, 16], [8, 8, 8, 8], [1, 30, 1], [5, 19, 8]])
def test_micro_batches_of_unequal_counts_give_the_gradient_of_the_whole(counts, record_property):
    batch = uneven_batch()
    model = network(outputs=3)
    loss, _ = accumulate_gradients(
        model, Masked(), cut(batch, counts), FP32, HERE, RunningMetrics()
    )
    error = relative_error(gradients(model), true_gradient(batch))
    record_property("relative_error", error)
    print(f"relative error of the gradient in {len(counts)} parts: {error:.1e}")
    assert error < 1e-6


@pytest.mark.parametrize("counts", [[32], [16, 16]])
def test_a_batch_without_predictions_has_a_gradient_of_zero(counts):
    batch, model = uneven_batch(), network(outputs=3)
    batch["weight"].zero_()
    accumulate_gradients(model, Masked(), cut(batch, counts), FP32, HERE, RunningMetrics())
    assert all(not parameter.grad.any() for parameter in model.parameters()), "not NaN"


def test_nothing_is_reported_where_nothing_was_predicted(tmp_path):
    data = cloud(train=8)
    data.splits["train"].columns["weight"][:4] = 0  # whole batches of the first epoch
    trainer = trainer_of(tmp_path, data, network(), Masked(), batch_size=1, log_steps=1)
    trainer.fit()
    losses = [row["loss"] for row in trainer.run.metrics() if row["split"] == "train"]
    assert losses and all(loss > 0 for loss in losses)


def test_the_mean_of_means_would_be_wrong():
    """What this guards against: several well-known trainers average micro-batch means."""
    batch, model = uneven_batch(), network(outputs=3)
    for part in cut(batch, [8, 8, 8, 8]):
        output = Masked().step(model, part)
        (output.loss_sum / output.count / 4).backward()
    assert relative_error(gradients(model), true_gradient(batch)) > 0.3


def test_the_loss_reported_is_the_mean_over_all_predictions():
    batch = uneven_batch()
    windows = []
    for counts in ([32], [8, 8, 8, 8]):
        window = RunningMetrics()
        accumulate_gradients(network(outputs=3), Masked(), cut(batch, counts), FP32, HERE, window)
        taken = window.take()
        windows.append(float(taken["loss"] / taken["count"]))
    assert windows[0] == pytest.approx(windows[1], rel=1e-6)
    assert window.take() == {}


@pytest.mark.parametrize("clip", [None, 0.01])
def test_training_in_micro_batches_ends_at_the_same_weights(tmp_path, clip):
    ends = []
    for accumulate in (1, 4):
        task = Masked()
        options = {"accumulate": accumulate, "clip": clip, "max_steps": 10}
        trainer = trainer_of(tmp_path, cloud(), network(), task, batch_size=16, **options)
        trainer.fit()
        assert len(task.seen) == 10 * accumulate + len(list(trainer.loader.evaluation("val")))
        ends.append(weights(trainer.model))
    for name in ends[0]:
        assert torch.allclose(ends[0][name], ends[1][name], rtol=1e-5, atol=1e-6), name


# -------------------------------------------------------------------------------- ranks


def best_first(trainer):
    """The first validation stays the best one, so that the best weights are not the last."""
    update_best = trainer.update_best
    trainer.update_best = lambda figures: update_best(
        figures | {"loss": figures["loss"] + trainer.step}
    )


def one_rank(folder, rank):
    """A rank of a toy training, with unequal counts and sizes on its ranks; writes its weights."""
    runtime = Runtime.start("cpu")
    run_folder = runtime.first(str(folder / "run"))
    from zoo.runs.directory import RunDirectory

    if runtime.main:
        (folder / "run" / "checkpoints").mkdir(parents=True)
    runtime.first(None)
    trainer = trainer_of(
        folder, cloud(), network(), Masked(), 15, runtime=runtime, accumulate=2, max_steps=8,
        eval_steps=4, ema=0.9, run=RunDirectory(type(folder)(run_folder)), optim=SLOW_SGD,
    )  # fmt: skip
    best_first(trainer)
    if runtime.main:  # the other must wait for what this one writes
        save = trainer.checkpoints.save
        trainer.checkpoints.save = lambda *arguments: (time.sleep(0.3), save(*arguments))
    trainer.fit()
    torch.save(dict(trainer.model.state_dict()), folder / f"rank{rank}.pt")
    figures, _ = finish.evaluate_best(trainer)
    (folder / f"test{rank}.json").write_text(json.dumps(figures["test"]))
    del trainer  # torch 2.13: DDP that outlives its process group may wait for ever (GIL, gloo)
    runtime.stop()
    return 0


def test_two_ranks_train_as_one_process_does(tmp_path, record_property):
    log = tmp_path / "log"
    assert forked.call_ranks(log, one_rank, tmp_path) == [0, 0], log.read_text()
    both = [torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in range(2)]
    assert same(*both)

    alone = trainer_of(
        tmp_path, cloud(), network(), Masked(), 15, max_steps=8, eval_steps=4, ema=0.9,
        optim=SLOW_SGD,
    )  # fmt: skip
    best_first(alone)
    alone.fit()
    expected = weights(alone.model)
    error = max(float((both[0][name] - expected[name]).abs().max()) for name in expected)
    record_property("largest_difference", error)
    assert error < 1e-6

    tested = [json.loads((tmp_path / f"test{r}.json").read_text())["loss"] for r in range(2)]
    figures, _ = finish.evaluate_best(alone)
    assert tested[0] == tested[1] == pytest.approx(figures["test"]["loss"], rel=1e-5)

    rows = [
        [json.loads(line) for line in path.read_text().splitlines()]
        for path in (tmp_path / "run" / "metrics.jsonl", alone.run.metrics_file)
    ]
    assert [(r["step"], r["split"]) for r in rows[0]] == [(r["step"], r["split"]) for r in rows[1]]
    for a, b in zip(*rows):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)
    assert len(rows[0]) == 11  # rank 0 alone writes
    saved = read(tmp_path / "run" / "checkpoints" / "last-00000008")
    assert {name.split(".")[0] for name in saved.tensors["ranks"]} == {"0", "1"}


def one_rank_by_the_clock(folder, rank):
    """A rank whose budget is a minute, and whose clock goes ahead of rank 0's by half of it."""
    runtime = Runtime.start("cpu")
    from zoo.runs.directory import RunDirectory

    if runtime.main:
        (folder / "run" / "checkpoints").mkdir(parents=True)
    runtime.first(None)
    trainer = trainer_of(
        folder, cloud(), network(), Masked(), 15, runtime=runtime, max_steps=4, max_minutes=1,
        schedule={"name": "linear"}, run=RunDirectory(folder / "run"),
    )  # fmt: skip
    restart = trainer.clock.restart
    trainer.clock.restart = lambda before: restart(before + 30 * rank)
    trainer.fit()
    torch.save(dict(trainer.model.state_dict()), folder / f"rank{rank}.pt")
    del trainer  # as above
    runtime.stop()
    return 0


def test_two_ranks_keep_one_rate_where_the_budget_is_in_minutes(tmp_path):
    log = tmp_path / "log"
    codes = forked.call_ranks(log, one_rank_by_the_clock, tmp_path)
    assert codes == [0, 0], log.read_text()
    assert same(*[torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in range(2)])


# --------------------------------------------------------------------------- evaluation


class Noisy(nn.Module):
    """Draws random numbers in evaluation too, as a masked language model's task does."""

    def __init__(self):
        super().__init__()
        self.inner = network()

    def forward(self, x):
        return self.inner(x + torch.randn_like(x))


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_repeats_and_leaves_no_trace(training):
    model = Noisy().train(training)
    loader = Loader(cloud(val=30), 8, 0, HERE)
    before = rng_state(CPU)
    kept = weights(model)
    first = evaluate(model, Masked(), loader.evaluation("val", 7), FP32, HERE)
    torch.rand(1)
    second = evaluate(model, Masked(), loader.evaluation("val", 7), FP32, HERE)
    torch.set_rng_state(before["torch"])
    evaluate(model, Masked(), loader.evaluation("val", 7), FP32, HERE)
    after = rng_state(CPU)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert first == second and same(kept, weights(model)) and model.training is training


@pytest.mark.parametrize("size", [1, 7, 30, 64])
def test_evaluation_is_the_mean_over_samples_whatever_the_batch(size):
    loader, model = Loader(cloud(val=30), 8, 0, HERE), network()
    actual = evaluate(model, Masked(), loader.evaluation("val", size), FP32, HERE)
    columns = loader.splits["val"].columns
    with torch.no_grad():
        error = (model(columns["input"]) - columns["target"]).square() * columns["weight"]
    assert float(actual["loss"]) == pytest.approx(float(error.sum() / columns["weight"].sum()))


def test_evaluation_switches_dropout_off():
    model = network(dropout=0.5)
    loader = Loader(cloud(val=30), 8, 0, HERE)
    first = evaluate(model, Masked(), loader.evaluation("val", 7), FP32, HERE)
    other = evaluate(model, Masked(), loader.evaluation("val", 30), FP32, HERE)
    assert float(first["loss"]) == pytest.approx(float(other["loss"])) and model.training


def test_evaluating_more_often_does_not_change_the_weights(tmp_path):
    ends = []
    for every in (2, 1000):
        model = network(dropout=0.3)
        trainer_of(tmp_path, cloud(), model, Masked(), eval_steps=every, max_steps=8).fit()
        ends.append(weights(model))
    assert same(*ends)


def test_sparse_gradients_are_refused_on_several_gpus():
    table = nn.Sequential(nn.Embedding(4, 2, sparse=True))
    with pytest.raises(UserError, match="the gradient of 0 is sparse.* train on one GPU"):
        wrapped(table, Runtime(torch.device("meta"), 0, 2), compile=False)


def test_statistics_that_ranks_share_are_not_sent():
    shared = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm1d(2)))
    assert _buffers_agree(shared) and not _buffers_agree(nn.Sequential(nn.BatchNorm1d(2)))
