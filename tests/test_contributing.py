"""CONTRIBUTING's model in two files: written into a copy of the repository, it works as told."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
TRY = """
import contextlib, io, sys
import pytest
from zoo.commands.train import main as train
from zoo.commands.list import main as listing

tiny = ["trainer.max_steps=2", "trainer.eval_steps=1", "trainer.device=cpu", "output_dir=outputs"]
assert train(["model=maxout", "data=rain", "model.pieces=2", *tiny]) == 0
assert train(["model=maxout", "model.piece=2"]) == 2
with contextlib.redirect_stdout(io.StringIO()) as listed:
    assert listing(["models"]) == 0
assert "maxout" in listed.getvalue(), listed.getvalue()
with contextlib.redirect_stdout(io.StringIO()) as collected:
    code = pytest.main(["--collect-only", "-p", "no:cacheprovider", "tests/test_every_model.py"])
assert code == 0 and "maxout" in collected.getvalue(), collected.getvalue()
"""


def test_the_example_is_complete(tmp_path):
    files = dict(FILE.findall(TEXT))
    assert list(files) == ["zoo/models/maxout.py", "configs/model/maxout.yaml"]
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("zoo", "configs", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in files.items():
        assert not (ROOT / name).exists(), f"{name} is real now; CONTRIBUTING needs another example"
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", TRY], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model.piece'; did you mean 'model.pieces'?" in done.stderr
    assert list((tmp_path / "outputs" / "maxout_rain").iterdir())


def test_the_example_is_formatted_as_ours(tmp_path):
    (tmp_path / "maxout.py").write_text(dict(FILE.findall(TEXT))["zoo/models/maxout.py"])
    for command in (["check", "--no-cache"], ["format", "--check"]):
        arguments = ["--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *arguments])
        assert done.returncode == 0
