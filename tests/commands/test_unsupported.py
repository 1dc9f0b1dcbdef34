"""Words of Hydra: each works, or is refused in one line that says what to use."""

import pytest

from zoo.commands.train import main
from zoo.commands.unsupported import refuse_unsupported

REFUSED = {
    "-cn train": "--config-dir=<folder>",
    "--config-name=other": "--config-dir=<folder>",
    "--config-path=/tmp": "--config-dir=<folder>",
    "-cp /tmp": "--config-dir=<folder>",
    "--info all": "--cfg job",
    "-i": "--cfg job",
    "--hydra-help": "--help",
    "--experimental-rerun=x": "scripts/compare.py",
    "--package=model": "--package is for --cfg job",
    "-p model": "-p is for --cfg job",
    "--cfg job resume=outputs/a": "--cfg shows a new run's settings",
    "--cfg all": "--cfg takes one word: --cfg job",
    "-c": "-c takes one word: -c job",
    "hydra.searchpath=[file:///tmp]": "--config-dir=<folder>",
    "hydra.run.dir=/tmp/x": "set output_dir=",
    "-m hydra.sweep.dir=/tmp/x seed=1,2": "set output_dir=",
    "-m +hydra.sweep.subdir=x seed=1,2": "set output_dir=",
    "hydra.output_subdir=x": "set output_dir=",
    "hydra.job.chdir=true": "a run never changes the folder",
    "hydra.job.name=x": "set output_dir=",
    "hydra.mode=MULTIRUN": "asked for by -m",
    "hydra.verbose=true": "has no effect here",
    "hydra/job_logging=default": "has no effect here",
    "hydra/sweeper=optuna": "sweep.method=tpe or random",
    "-m hydra/sweeper=optuna seed=1,2": "sweep.method=tpe or random",
    "hydra={run:{dir:x}}": "has no effect here",
    "hydra/sweeper=basic": "is for sweeps; add -m",
    "hydra/launcher=basic": "is for sweeps; add -m",
    "name=${hydra:job.name}": "${hydra:...} has no value here",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_has_no_effect_is_refused(mistake, line):
    assert REFUSED[line] in mistake(*line.split(" "))


def test_what_has_one_is_taken(capsys):
    for line in ("-m hydra/sweeper=basic", "-m hydra/launcher=ray hydra.launcher.x=1", "--cfg job"):
        refuse_unsupported(line.split(" "))
    for line in ("--cfg job --resolve", "-c=job", "-c job", "--cfg=job"):
        assert main([*line.split(" "), "experiment=mlp_rain"]) == 0
        assert "experiment: mlp_rain" in capsys.readouterr().out
    assert main(["--cfg", "job", "-p", "model", "experiment=mlp_rain"]) == 0
    assert "width: 32" in capsys.readouterr().out
    assert main(["--shell-completion", "install=bash"]) == 0
    assert "complete" in capsys.readouterr().out
