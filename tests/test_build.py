"""What is checked before a run begins: a whole micro-batch goes through the model once."""

import functools

import pytest
import torch
from support import refused

from zoo.registry import MODELS

TINY = (
    "model=mlp", "data=rain", "data.samples=300", "trainer.max_steps=1", "trainer.precision=fp32",
)  # fmt: skip


@pytest.fixture
def spy(monkeypatch):
    """A model that notes the batches it sees, and may run out of memory."""
    seen, limit = [], [10**9]

    class Spy(MODELS["mlp"].builder):
        @functools.wraps(MODELS["mlp"].builder.__init__)
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.norm = torch.nn.BatchNorm1d(2)

        def forward(self, x):
            mean = float(self.norm.running_mean[0])
            seen.append((len(x), self.training, torch.is_grad_enabled(), mean))
            if len(x) > limit[0]:
                raise torch.OutOfMemoryError("Tried to allocate 2.00 GiB")
            return super().forward(self.norm(x))

    monkeypatch.setattr(MODELS, "_entries", dict(MODELS._entries))
    MODELS.register("spy")(Spy)
    return seen, limit


def test_the_dry_run_takes_a_whole_micro_batch(train, spy):
    seen, _ = spy
    done = train(*TINY, "model.name=spy", "data.batch_size=60", "trainer.accumulate=3")
    assert done.code == 0, done.err
    assert seen[0] == (20, False, False, 0.0)
    training = [call for call in seen if call[1]]
    assert training[:2] == [(20, True, True, 0.0)] * 2, "the statistics of batch norm stayed"


def test_a_micro_batch_that_is_too_large_says_what_to_change(train, spy):
    _, limit = spy
    limit[0] = 30
    line = refused(train(*TINY, "model.name=spy", "data.batch_size=60"), train.outputs)
    assert "a micro-batch of 60 samples does not fit into memory" in line
    assert "lower data.batch_size=60, or raise trainer.accumulate=1" in line
