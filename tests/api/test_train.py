"""zoo.train: the run of the command line, and a process that is left as it was."""

import gc
import logging
import random
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import numpy
import pytest
import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import load_file

import zoo
from zoo.commands.train import main
from zoo.runs.directory import find_runs
from zoo.training.trainer import Trainer

SMALL = ("trainer.max_steps=12", "trainer.eval_steps=6", "trainer.device=cpu")
RAIN = ("experiment=mlp_rain", "data.samples=200", "model.width=8", *SMALL)
DIGITS = ("model=mlp", "model.dropout=0.2", "model.width=8", *SMALL)  # draws random numbers


def figures(path):
    """All that a run has computed: its metrics, and the bits of its weights."""
    run = zoo.load(path)
    last = max((run.path / "checkpoints").glob("last-*"))
    weights = load_file(last / "model.safetensors")
    return list(run.metrics), {name: tensor.tolist() for name, tensor in weights.items()}


def test_two_runs_in_one_process_are_those_of_two_processes(tmp_path, data_root, capfd):
    digits = (*DIGITS, f"data.root={data_root}")
    settings = {"rain": RAIN, "digits": digits, "again": RAIN}
    here = {
        name: zoo.train(*given, f"output_dir={tmp_path / name}", quiet=True)
        for name, given in settings.items()
    }
    assert capfd.readouterr() == ("", "")
    for name in ("rain", "digits"):
        outputs = tmp_path / "process" / name
        given = [*settings[name], f"output_dir={outputs}"]
        assert forked.call(tmp_path / "log", main, given) == 0
        (there,) = find_runs(outputs)
        assert figures(here[name]) == figures(there)
    assert figures(here["again"]) == figures(here["rain"])


def state():
    """What a program may have set, and would miss."""
    import matplotlib

    return {
        "random": random.getstate(),
        "numpy": str(numpy.random.get_state()),  # noqa: NPY002
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "flags": (
            torch.get_deterministic_debug_mode(),
            torch.backends.cudnn.benchmark,
            torch.get_float32_matmul_precision(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
        ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "logging": (logging.root.level, logging.root.handlers[:], logging.root.manager.disable),
        "matplotlib": (matplotlib.get_backend(), dict(matplotlib.rcParams)),
        "warnings": warnings.filters[:],
        "hooks": (sys.excepthook, threading.excepthook, sys.stdout, sys.stderr),
        "place": (Path.cwd(), sys.argv[:], sys.path[:]),
        "collector": (gc.isenabled(), gc.get_threshold()),
        "hydra": GlobalHydra.instance().hydra,
    }


def test_the_process_is_left_as_it_was(tmp_path, monkeypatch):
    """Also one that has flags and a Hydra of its own."""
    (tmp_path / "mine").mkdir()
    zoo.train(*RAIN, f"output_dir={tmp_path}", quiet=True)  # whatever is imported, is now
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with initialize_config_dir(str(tmp_path / "mine"), version_base=None):
            torch.manual_seed(7)
            random.seed(7)
            before = state()
            run = zoo.train(
                *RAIN, "trainer.deterministic=true", f"output_dir={tmp_path}", quiet=True
            )
            run.predict({"temperature": 30, "humidity": 90})
            after = state()
    finally:
        torch.use_deterministic_algorithms(False)
    different = [name for name in before if before[name] != after[name]]
    assert different == []


def test_it_says_what_the_command_says(tmp_path, capsys):
    run = zoo.train(*RAIN, f"output_dir={tmp_path}")
    out = capsys.readouterr().out
    assert f"run        {run.path}" in out and "trained 12 steps" in out
    assert f"zoo predict run={run.path}" in out
    assert run.result["command"].startswith("zoo train experiment=mlp_rain data.samples=200 ")
    assert (run.path / "overrides.txt").read_text().splitlines()[0] == "experiment=mlp_rain"
    zoo.train(f"resume={run.path}", "trainer.max_steps=14", quiet=True)
    assert run.result["steps"] == 14 and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["experiment=mlp_rains"], "unknown choice for experiment: 'mlp_rains'; did you mean"),
        (["optim.lrr=1"], "unknown key 'optim.lrr'; did you mean 'optim.lr'?"),
        (["optim.lr=fast"], "optim.lr: got 'fast' (str), expected float"),
        (["optim.lr=1,2"], "a sweep needs -m"),
        (["resume=nowhere"], "resume=nowhere: there is no such folder"),
        (["hydra.run.dir=x"], "'hydra.run.dir=x' is not supported"),
        (["--config-dir=nowhere"], "--config-dir: there is no folder nowhere"),
        (["-m", "seed=1,2"], "'-m' is for the command line; zoo.train takes settings: call it"),
        (["--help"], "'--help' is for the command line"),
        ([{"optim.lr": 1}], "expected settings such as 'optim.lr=1e-3'"),
        (["trainer.devices=2"], "trainer.devices=2 starts further processes"),
    ],
)  # fmt: skip
def test_mistakes_are_those_of_the_command(settings, said, tmp_path):
    argv = sys.argv
    with pytest.raises(zoo.UserError) as caught:
        zoo.train(*settings, *([] if "resume" in str(settings) else [f"output_dir={tmp_path}"]))
    assert said in str(caught.value)
    assert sys.argv is argv and list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_is_an_exception(tmp_path):
    with pytest.raises(zoo.TrainingFailed, match="loss"):
        zoo.train(*RAIN, "optim=sgd", "optim.lr=1e30", f"output_dir={tmp_path}", quiet=True)


def test_ctrl_c_saves_and_interrupts_the_program(tmp_path, monkeypatch):
    """What its signal does to a program, it does after the run is saved; then the run goes on."""
    heard, evaluate = [], Trainer.evaluate_when_due

    def interrupted(trainer):
        if trainer.step == 6:
            signal.raise_signal(signal.SIGINT)
        evaluate(trainer)

    monkeypatch.setattr(Trainer, "evaluate_when_due", interrupted)
    with pytest.raises(KeyboardInterrupt):
        zoo.train(*RAIN, f"output_dir={tmp_path}", quiet=True)
    (path,) = find_runs(tmp_path)
    assert zoo.load(path).result["status"] == "interrupted"
    monkeypatch.setattr(Trainer, "evaluate_when_due", evaluate)
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        run = zoo.train(f"resume={path}", quiet=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run.result["status"] == "done" and run.path == Path(path) and heard == []


def test_threads_train_one_after_another(tmp_path):
    """Else they would draw from the same random numbers, and leave each other's streams behind."""
    before = (sys.stdout, sys.stderr, sys.argv, threading.excepthook)
    settings = [(*DIGITS, "data=iris", f"seed={seed}") for seed in (1, 2)]
    alone = [zoo.train(*s, f"output_dir={tmp_path / 'alone'}", quiet=True) for s in settings]

    def train(s):
        return zoo.train(*s, f"output_dir={tmp_path / 'together'}", quiet=True)

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(train, settings))
    assert [figures(run) for run in together] == [figures(run) for run in alone]
    assert (sys.stdout, sys.stderr, sys.argv, threading.excepthook) == before
