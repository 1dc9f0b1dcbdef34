"""The row of the table of fine-tuning, from a run; and what the benchmark needs."""

import pytest

from benchmarks.tuning import OPTIMIZER, outcome_of, tuning
from zoo.errors import UserError
from zoo.restore import restore


def test_what_a_run_tells(digits_run):
    outcome = outcome_of(digits_run, peak=300.0)
    model = restore(digits_run).model
    numbers = sum(p.numel() for p in model.parameters())
    largest = max(model.named_parameters(), key=lambda pair: pair[1].numel())
    assert list(outcome.losses) == [20, 40] and all(loss > 0 for loss in outcome.losses.values())
    assert outcome.weights == pytest.approx(4 * numbers / 1e6)
    assert outcome.state == pytest.approx(OPTIMIZER * 4 * numbers / 1e6)
    assert outcome.largest == (largest[0], pytest.approx(4 * largest[1].numel() / 1e6))
    assert outcome.cells()[2] == "300"


def test_without_a_base():
    with pytest.raises(UserError, match="needs base=<a run, or published weights>"):
        tuning(1, "", [])
