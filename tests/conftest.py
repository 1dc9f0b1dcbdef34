"""For all tests: one thread a process, runs in folders of their own, three that are done."""

import re
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
TINY = ("trainer.device=cpu", "trainer.precision=fp32", "trainer.max_steps=40")
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
torch.set_num_threads(1)  # tests run side by side; and sums keep one order
if hasattr(signal, "SIGHUP"):  # under nohup it is ignored, which runs respect, and tests send it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # likewise, behind a shell's `&`
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _without_previews():
    """Runs of this process draw nothing, which would be most of a tiny run's time.

    A preview that fails is a warning to a run; test_every_task.py draws those of every task.
    """
    from zoo.training.trainer import Trainer

    draw = Trainer.preview
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "preview", lambda *arguments, **options: None)
        yield draw


@pytest.fixture
def with_previews(_without_previews, monkeypatch):
    """For tests that look at them."""
    from zoo.training.trainer import Trainer

    monkeypatch.setattr(Trainer, "preview", _without_previews)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """Where the bundled datasets keep their cache: one folder for all workers of the session."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder = shared / "data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def train(tmp_path, data_root, capsys):
    """Run `train.py` in this process, on the CPU, with every file below `tmp_path`.

    The answer has `code`, `out`, `err`, and `path` of the newest run directory, or None.
    """
    from zoo.commands.train import main
    from zoo.runs.directory import find_runs

    outputs = tmp_path / "outputs"

    def run(*overrides):
        known = set(find_runs(outputs))
        resuming = _given(overrides, "resume") or _given(overrides, "sweep.resume")
        places = [] if resuming else [f"output_dir={outputs}"]
        if not places or _given(overrides, "output_dir"):
            places = []
        elif _has_root(overrides):
            places.append(f"data.root={data_root}")
        if not any(_given(overrides, key) for key in ("resume", "sweep.resume", "trainer.device")):
            places.append("trainer.device=cpu")
        capsys.readouterr()
        code = main([*overrides, *places])
        printed = capsys.readouterr()
        fresh = [path for path in find_runs(outputs) if path not in known]
        path = fresh[-1] if fresh else None
        return SimpleNamespace(code=code, out=printed.out, err=printed.err, path=path)

    run.outputs = outputs
    return run


def _given(overrides, key):
    return any(o.lstrip("+").split("=")[0] == key for o in overrides)


def _has_root(overrides):
    """Whether the data that is asked for lies in, or is kept in, a folder `data.root`."""
    chosen = dict(o.split("=", 1) for o in overrides if "=" in o)
    data, experiment = chosen.get("data", "digits"), chosen.get("experiment")
    file = ROOT / "configs" / "experiment" / f"{experiment}.yaml"
    if "data" not in chosen and file.is_file():
        data = next(iter(re.findall(r"/data: (\w+)", file.read_text())), data)
    file = ROOT / "configs" / "data" / f"{data}.yaml"
    return not file.is_file() or re.search(r"^root:", file.read_text(), re.MULTILINE) is not None


@pytest.fixture
def mistake(train):
    """What the command line says to a mistake, having left nothing behind."""
    from support import refused

    def say(*overrides):
        return refused(train(*overrides), train.outputs)

    return say


@pytest.fixture(scope="session")
def trained(tmp_path_factory, _without_previews):
    """Train by the command line; gives the run's folder."""
    from zoo.commands.train import main as train
    from zoo.runs.directory import find_runs
    from zoo.training.trainer import Trainer

    def run(name, *overrides, previews=False):
        outputs = tmp_path_factory.mktemp(name)
        with pytest.MonkeyPatch.context() as patch:
            if previews:
                patch.setattr(Trainer, "preview", _without_previews)
            assert train([*TINY, *overrides, f"output_dir={outputs}"]) == 0
        (path,) = find_runs(outputs)
        return path

    return run


@pytest.fixture(scope="session")
def digits_run(trained, data_root):
    settings = (
        "model.width=32",
        "optim.lr=1e-2",
        "trainer.ema=0.9",
        "trainer.eval_steps=20",
        "trainer.save_steps=20",
    )
    return trained("digits", "model=mlp", "data=digits", f"data.root={data_root}", *settings)


@pytest.fixture(scope="session")
def drawing_run(trained, data_root):
    """A model that draws digits of a class, badly."""
    sizes = ("model.width=32", "model.latent=4", "trainer.max_samples=200", "optim.lr=1e-2")
    return trained("drawing", "experiment=vae_digits", f"data.root={data_root}", *sizes)


@pytest.fixture(scope="session")
def rain_run(trained):
    settings = ("model.width=8", "data.samples=300", "optim.lr=2e-2", "trainer.max_steps=120")
    return trained("rain", "model=mlp", "data=rain", *settings, previews=True)


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """A CSV file of 120 houses: price = 3 area + 20 where there is a garden."""
    path = tmp_path_factory.mktemp("table") / "houses.csv"
    rows = [(20 + 7 * k % 83, "yes" if k % 3 else "no") for k in range(120)]
    lines = [f"{area},{garden},{3 * area + 20 * (garden == 'yes')}.5" for area, garden in rows]
    path.write_text("area,garden,price\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def price_run(trained, table):
    settings = ("task=regression", "data.target=price", "optim.lr=1e-2")
    return trained(
        "price", "model=mlp", "model.width=8", "data=csv", f"data.path={table}", *settings
    )


@pytest.fixture
def copied(tmp_path):
    """A copy of a run, to be damaged."""

    def copy(path):
        return shutil.copytree(path, tmp_path / "run")

    return copy


@pytest.fixture
def command(capsys):
    """Call an entry point's main function; `code`, `out`, `err`."""

    def call(main, *arguments):
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return call


@pytest.fixture
def refused(command):
    """The one line that a mistake gets."""

    def call(main, *arguments):
        done = command(main, *arguments)
        assert done.code == 2 and done.out == "", done
        (line,) = [x for x in done.err.splitlines() if not x.startswith("warning: ")]
        return line.removeprefix("error: ")

    return call
