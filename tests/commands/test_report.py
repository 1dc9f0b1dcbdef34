"""`scripts/report.py`: from a run's files alone, without torch."""

import subprocess
import sys

import pytest
from support import ROOT, write_run

from zoo.commands.report import main


@pytest.mark.parametrize("word", ["run={}", "{}"])
def test_it_writes_the_report_of_a_run(tmp_path, capsys, word):
    run = write_run(tmp_path / "run", 0.5, 0.5)
    assert main([word.format(run)]) == 0
    assert capsys.readouterr().out == f"report    {run / 'report.html'}\n"
    assert (run / "report.html").is_file()


def test_a_folder_of_runs_is_compared(tmp_path, capsys):
    for seed in (0, 1):
        write_run(tmp_path / "sweep" / f"seed={seed}", 0.5, 0.5, seed=seed)
    assert main([f"run={tmp_path / 'sweep'}"]) == 0
    assert capsys.readouterr().out == f"report    {tmp_path / 'sweep' / 'report.html'}\n"
    assert len(list(tmp_path.rglob("report.html"))) == 3


def test_mistakes_are_one_line(tmp_path, capsys):
    for words in ([f"run={tmp_path}"], [], ["ru=x"], [f"run={tmp_path / 'nowhere'}"]):
        assert main(words) == 2
        said = capsys.readouterr()
        assert said.err.startswith("error: ") and said.err.count("\n") == 1 and not said.out


def test_it_needs_no_heavy_package(tmp_path):
    run = write_run(tmp_path / "run", 0.5, 0.5, losses=[2.0, 1.0])
    code = (
        "import sys; from zoo.commands.report import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'numpy', 'matplotlib', 'PIL', 'hydra', 'scipy'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run)], cwd=ROOT, text=True,
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
