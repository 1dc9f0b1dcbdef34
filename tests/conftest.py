"""For all tests: one thread a process, one folder for data, runs in folders of their own."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
torch.set_num_threads(1)  # tests run side by side; and sums keep one order


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
    from zoo.cli import train as main
    from zoo.runs.directory import find_runs

    outputs = tmp_path / "outputs"

    def run(*overrides):
        known = set(find_runs(outputs))
        going_on = _given(overrides, "resume") or _given(overrides, "sweep.resume")
        places = [] if going_on else [f"output_dir={outputs}"]
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
