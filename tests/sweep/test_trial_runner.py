"""Why a trial has not finished, and what it is given."""

import pytest

from zoo import session
from zoo.config.compose import load
from zoo.sweep.store import SweepState
from zoo.sweep.trial_runner import failure_reason, train_trial
from zoo.sweep.trials import Trial


@pytest.mark.parametrize(
    ("code", "output", "exceeded_minutes", "reason"),
    [
        (143, "step 3", 0.5, "took longer than sweep.trial_minutes=0.5"),
        (139, "step 3", None, "ended by SIGSEGV"),
        (1, "step 3\nfailed: not finite\n\n", None, "failed: not finite"),
        (1, "", None, "exit code 1"),
        (1, None, None, "exit code 1"),
    ],
)
def test_failure_reasons(tmp_path, code, output, exceeded_minutes, reason):
    log = tmp_path / "trial.log"
    if output is not None:
        log.write_text(output)
    assert failure_reason(code, log, exceeded_minutes) == reason


@pytest.mark.parametrize("known", [True, False])
def test_every_trial_knows_the_first(tmp_path, monkeypatch, known):
    """By whose model trainer.precision=auto is decided for all."""
    given = []

    def noted(*arguments, first, **options):
        given.append(first)
        return session.Ended(0)

    monkeypatch.setattr(session, "train", noted)
    overrides = [("model=mlp", "data=rain", f"model.width={width}") for width in (4, 8)]
    trials = [Trial(f"width={k}", o) for k, o in enumerate(overrides)]
    state = SweepState.create(tmp_path, trials, "python train.py -m")
    configs = [load(list(o)) for o in overrides]
    for trial, config in zip(trials, configs, strict=True):
        state.log_file(trial).touch()
        arguments = (config, configs[0]) if known else ()
        assert train_trial(state, trial, *arguments) == 0
    assert [list(lead) for _, lead in given] == [list(overrides[0])] * 2
    assert [config.model["width"] for config, _ in given] == [4, 4]
