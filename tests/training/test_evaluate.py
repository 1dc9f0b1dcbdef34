"""Metrics of a whole split: rows of every batch and rank, in the order of the split."""

import errno
import warnings

import pytest
import torch
from toys import CPU, HERE, Masked, cloud, network, trainer_of

from zoo.errors import UserError
from zoo.tasks.base import StepOutput
from zoo.training.console import Console
from zoo.training.evaluate import check_predictions, evaluate, preview
from zoo.training.loader import Loader
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime
from zoo.training.step import RunningMetrics, accumulate_gradients

FP32 = Precision("fp32", CPU)


class Ranking(Masked):
    """Squared error, and the area under the ROC curve for targets above 0."""

    def step(self, model, batch):
        output = super().step(model, batch)
        if model.training:
            return output
        rows = {"score": model(batch["input"])[:, 0], "positive": batch["target"][:, 0] > 0}
        return output._replace(rows=rows)

    def split_metrics(self, rows):
        self.rows = rows
        above, below = rows["score"][rows["positive"]], rows["score"][~rows["positive"]]
        return {"auc": (above[:, None] > below).double().mean()}

    def summarize(self, means):
        return {name: float(means[name]) for name in ("loss", "auc") if name in means}


@pytest.mark.parametrize("size", [1, 7, 30, 64])
def test_a_metric_of_the_whole_split_whatever_the_batch(size):
    from sklearn.metrics import roc_auc_score

    loader, model, task = Loader(cloud(val=30), 8, 0, HERE), network(), Ranking()
    means = evaluate(model, task, loader.evaluation("val", size), FP32, HERE)
    columns = loader.splits["val"].columns
    model.eval()
    with torch.no_grad():
        scores = model(columns["input"])[:, 0]
    torch.testing.assert_close(task.rows["score"], scores)  # in the order of the split
    expected = roc_auc_score((columns["target"][:, 0] > 0).numpy(), scores.numpy())
    assert float(means["auc"]) == pytest.approx(expected)
    plain = evaluate(model, Masked(), loader.evaluation("val", size), FP32, HERE)
    assert {k: v for k, v in means.items() if k != "auc"} == plain


class Miscounted(Masked):
    """A plugin's, with a sum that is called as what all sums are divided by."""

    def step(self, model, batch):
        output = super().step(model, batch)
        return output._replace(sums={"count": output.count * 2})


def test_a_sum_named_count_divides_nothing():
    loader, model = Loader(cloud(val=30), 8, 0, HERE), network()
    means = [
        evaluate(model, task, loader.evaluation("val"), FP32, HERE)
        for task in (Masked(), Miscounted())
    ]
    assert means[0] == means[1]
    running = RunningMetrics()
    accumulate_gradients(model, Miscounted(), [next(loader.evaluation("val"))], FP32, HERE, running)
    other = RunningMetrics()
    accumulate_gradients(model, Masked(), [next(loader.evaluation("val"))], FP32, HERE, other)
    assert running.take() == other.take()


class LastRank(Runtime):
    """The last of two ranks; what the first one sent is known."""

    sent: list

    def gather(self, value):
        return [self.sent.pop(0), value]


class FirstRank(Runtime):
    """The first of two; notes what it sends."""

    def gather(self, value):
        self.sent = [*getattr(self, "sent", []), value]
        return [value]


@pytest.mark.parametrize("val", [31, 1])
def test_rows_of_ranks_come_together(val):
    """Also where a rank has no sample at all."""
    data, model, whole, task = cloud(val=val), network(), Ranking(), Ranking()
    data.splits["val"].columns["weight"].fill_(1.0)
    first, last = FirstRank(CPU, 0, 2), LastRank(CPU, 1, 2)
    for runtime, own in ((HERE, whole), (first, Ranking()), (last, task)):
        if runtime is last:
            last.sent = first.sent
        batches = Loader(data, 8, 0, runtime).evaluation("val", 7)
        evaluate(model, own, batches, FP32, runtime)
    torch.testing.assert_close(task.rows["score"], whole.rows["score"])
    assert torch.equal(task.rows["positive"], whole.rows["positive"])


class Noisy(Masked):
    """Its loss is a random number for each sample, as the noise of a GAN or a code of a VAE."""

    def step(self, model, batch):
        noise = torch.randn(len(batch["input"]))
        return StepOutput(noise.sum(), torch.tensor(len(noise)), {}, {"noise": noise})

    def split_metrics(self, rows):
        self.noise = rows["noise"]
        return {}


def test_samples_of_two_ranks_have_different_random_numbers():
    data, model, alone, both = cloud(val=32), network(), Noisy(), Noisy()
    first, last = FirstRank(CPU, 0, 2), LastRank(CPU, 1, 2)
    for runtime, task in ((HERE, alone), (first, Noisy()), (last, both)):
        if runtime is last:
            last.sent = first.sent
        evaluate(model, task, Loader(data, 8, 0, runtime).evaluation("val", 8), FP32, runtime)
    assert len(both.noise.unique()) == 32
    assert torch.equal(both.noise[:16], alone.noise[:16])  # the first rank's are those of one rank


def test_a_split_without_a_prediction_is_refused():
    data = cloud(val=9)
    data.splits["val"].columns["weight"].zero_()
    batches = Loader(data, 8, 0, HERE).evaluation("val")
    with pytest.raises(UserError, match="there is nothing to predict in the val split"):
        evaluate(network(), Masked(), batches, FP32, HERE, split="val")


class Counting(Masked):
    """Says how many predictions a batch has."""

    why_none = "no weight is above 0"

    def count(self, batch):
        return batch["weight"].sum()


def test_predictions_are_looked_for_before_training():
    data = cloud(val=40)
    loader = Loader(data, 4, 0, HERE)
    check_predictions(Masked(), loader, HERE)
    data.splits["val"].columns["weight"][:-1] = 0
    data.splits["val"].columns["weight"][-1] = 1
    check_predictions(Counting(), loader, HERE)
    data.splits["test"].columns["weight"].zero_()
    with pytest.raises(UserError, match="the test split has nothing to predict: no weight"):
        check_predictions(Counting(), loader, HERE)


def test_it_can_choose_the_best_weights(tmp_path):
    task = Ranking(monitor="auc")
    trainer = trainer_of(tmp_path, cloud(), network(), task, eval_steps=2)
    trainer.fit()
    rows = list(trainer.run.metrics())
    assert all(("auc" in row) == (row["split"] == "val") for row in rows)
    best = max(row["auc"] for row in rows if row["split"] == "val")
    assert trainer.best.metrics["auc"] == best
    _, figures = trainer.evaluate("test")
    assert set(figures) == {"loss", "auc"}


class Costly(Masked):
    """Has a step of its own for the test split."""

    def test_step(self, model, batch):
        return StepOutput(torch.tensor(4.0), torch.tensor(2), {})


def test_the_test_split_may_have_a_step_of_its_own():
    loader, model = Loader(cloud(), 8, 0, HERE), network()
    val = evaluate(model, Costly(), loader.evaluation("val"), FP32, HERE)
    test = evaluate(model, Costly(), loader.evaluation("test"), FP32, HERE, final=True)
    assert float(test["loss"]) == 2 != float(val["loss"])
    plain = evaluate(model, Masked(), loader.evaluation("test"), FP32, HERE, final=True)
    assert float(plain["loss"]) not in (2.0, float(val["loss"]))


def test_what_is_not_finite_is_named_in_the_order_of_the_split():
    """Over ranks too, whose parts follow one another."""
    data, said = cloud(val=31), []
    data.splits["val"].columns["target"][20] = float("nan")
    data.splits["val"].columns["weight"][20] = 1
    first, last = FirstRank(CPU, 0, 2), LastRank(CPU, 1, 2)
    model = network()
    for runtime, report in ((HERE, said.append), (first, print), (last, said.append)):
        if runtime is last:
            last.sent = [*first.sent, [(7, True), (7, True), (2, True)]]
        batches = Loader(data, 8, 0, runtime).evaluation("val", 7)
        evaluate(model, Masked(), batches, FP32, runtime, report=report)
    assert said == ["nan, first in samples 15 to 21 of it", "nan, first in samples 17 to 23 of it"]


class Drawing(Masked):
    """Its preview warns, and raises what it is given."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def preview(self, model, batch, means, writer):
        assert not model.training
        warnings.warn("no font has it", stacklevel=1)
        if self.error:
            raise self.error


def test_a_preview_that_fails_is_one_warning(capsys):
    console, model = Console(), network().train()
    for error in (None, ValueError("bad\nformula $"), OverflowError("1e39"), OSError("a name")):
        for _ in range(3):
            preview(model, Drawing(error), {}, {}, None, HERE, console)
    assert capsys.readouterr().out.splitlines() == [
        "warning: no font has it",
        "warning: a preview was not drawn (ValueError: bad formula $)",
        "warning: a preview was not drawn (OverflowError: 1e39)",
        "warning: a preview was not drawn (OSError: a name)",
    ]
    assert model.training
    for error in (OSError(errno.ENOSPC, "full"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            preview(model, Drawing(error), {}, {}, None, HERE, console)
