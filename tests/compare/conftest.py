"""The command, and a small sweep to run it on."""

import pytest
from support import write_run

from zoo.compare.main import main


@pytest.fixture
def say(capsys):
    """Run it: exit code, output, errors."""

    def run(*arguments):
        code = main([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def sweep(tmp_path):
    """Two rates, two seeds each, the greater rate better; and one that failed."""
    for lr, seed, score in ((0.1, 0, 0.9), (0.1, 1, 0.8), (0.01, 0, 0.5), (0.01, 1, 0.7)):
        typed = [f"optim.lr={lr}", f"seed={seed}", "model.width=8"]
        write_run(tmp_path / f"{lr}-{seed}", score, score / 2, seed=seed, optim__lr=lr, typed=typed)
    bad = {"reason": "loss is nan | at step 7"}
    write_run(tmp_path / "bad", status="failed", optim__lr=99.0, result=bad)
    return tmp_path
