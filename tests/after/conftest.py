"""Three tiny finished runs that all tests here read: images, a table of classes, one of numbers."""

import shutil
from types import SimpleNamespace

import pytest

TINY = ("trainer.device=cpu", "trainer.precision=fp32", "trainer.max_steps=40")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Train by the command line; gives the run's folder."""
    from zoo.cli import train
    from zoo.runs.directory import find_runs

    def run(name, *overrides):
        outputs = tmp_path_factory.mktemp(name)
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
def rain_run(trained):
    settings = ("model.width=8", "data.samples=300", "optim.lr=2e-2", "trainer.max_steps=120")
    return trained("rain", "model=mlp", "data=rain", *settings)


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
