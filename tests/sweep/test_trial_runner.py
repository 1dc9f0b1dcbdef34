"""Why a trial has not finished."""

import pytest

from zoo.sweep.trial_runner import failure_reason


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
