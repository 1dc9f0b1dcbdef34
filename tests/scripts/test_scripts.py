"""The entry points: they run from any folder, and hide no module of the standard library."""

import shutil
import subprocess
import sys

import pytest
from support import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "scripts").glob("[!_]*.py"))


def run(path, *arguments, cwd):
    command = [sys.executable, str(path), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_explains_itself_from_any_folder(name, tmp_path):
    result = run(ROOT / "scripts" / name, "--help", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"scripts/{name}" in result.stdout


@pytest.mark.parametrize("name", ["find_lr.py", "results.py", "benchmark.py", "compression.py"])
def test_a_mistake_is_one_line(name, tmp_path):
    result = run(ROOT / "scripts" / name, "hgih=1", cwd=tmp_path)
    assert result.returncode == 2 and "hgih" in result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_no_script_hides_a_module_of_the_standard_library(tmp_path):
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    shutil.copy(ROOT / "scripts" / "_path.py", scripts)
    (scripts / "colorsys.py").write_text("raise RuntimeError\n")
    (scripts / "entry.py").write_text("import _path\nimport colorsys\nimport package\n")
    (tmp_path / "package.py").touch()
    result = run(scripts / "entry.py", cwd="/")
    assert result.returncode == 0, result.stderr
