"""What is drawn is judged once, at the end, on whole splits, by the first rank."""

import pytest
import torch

from zoo.training.evaluate import Interrupted
from zoo.training.judged import judged
from zoo.training.precision import Precision
from zoo.training.runtime import Runtime

CPU = torch.device("cpu")
PRECISION = Precision("fp32", CPU)


class Counts:
    """Counts what it is given, and draws random numbers."""

    def __init__(self):
        self.modes = []

    def judge(self, model, train, test, samples=None, features=None):
        self.modes.append((model.training, torch.is_grad_enabled()))
        sizes = [sum(len(batch["input"]) for batch in split) for split in (train, test)]
        return {"sizes": torch.tensor(sizes), "drawn": torch.rand(3), "samples": samples}


class Batches:
    """Two splits of 10 and 4 samples, of 2**24 values each if they are large."""

    def __init__(self, large=False):
        self.sizes, self.large, self.asked = {"train": 10, "test": 4}, large, []

    def evaluation(self, split, size=None, every=1, whole=False):
        self.asked.append((split, every, whole))
        batch = {"input": torch.zeros(1).expand(1, 2**24 if self.large else 1)}
        yield from [batch] * len(range(0, self.sizes[split], every))


def test_it_sees_whole_splits_and_leaves_no_trace():
    task, model, state = Counts(), torch.nn.Dropout().train(), torch.get_rng_state()
    parts = (model, task, Batches(), PRECISION, Runtime(CPU))
    first, second = judged(*parts), judged(*parts, samples=7)
    assert first["sizes"].tolist() == [10, 4] and torch.equal(first["drawn"], second["drawn"])
    assert (first["samples"], second["samples"]) == (None, 7)
    assert task.modes == [(False, False)] * 2 and model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_large_splits_are_thinned():
    batches = Batches(large=True)
    found = judged(torch.nn.Identity(), Counts(), batches, PRECISION, Runtime(CPU))
    assert found["sizes"].tolist() == [4, 4]  # every third: 2**26 values at most
    assert all(whole for *_, whole in batches.asked)


def test_the_first_rank_works_alone(monkeypatch):
    runtime = Runtime(CPU, rank=1, ranks=2)
    monkeypatch.setattr(Runtime, "first", lambda self, value: value or {"from": "rank 0"})
    task = Counts()
    assert judged(None or torch.nn.Identity(), task, Batches(), PRECISION, runtime) == {
        "from": "rank 0"
    }
    assert task.modes == []


def test_a_signal_stops_it():
    parts = (torch.nn.Identity(), Counts(), Batches(), PRECISION, Runtime(CPU))
    with pytest.raises(Interrupted):
        judged(*parts, interrupted=lambda: True)


def test_tasks_that_draw_nothing_are_not_asked():
    assert judged(torch.nn.Identity(), object(), None, PRECISION, Runtime(CPU)) == {}
