"""CONTRIBUTING's examples: written into a copy of the repository, they work as the page says."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
FILES = dict(FILE.findall(TEXT))
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
EXAMPLES = [section for section in SECTIONS if FILE.search(section)]
PLACES = {  # headings, and the folders of the files: one of Python, and one of YAML if configured
    "Add a model": ["zoo/models", "configs/model"],
    "A dataset": ["zoo/data/datasets", "configs/data"],
    "An encoding": ["zoo/data/tables"],  # and a dataset that uses it
    "A task": ["zoo/tasks", "configs/task"],
    "An optimizer": ["zoo/optim", "configs/optim"],
    "A schedule": ["zoo/optim", "configs/schedule"],
    "An adapter": ["zoo/adapters", "configs/adapter"],
    "A faster implementation of a kernel": ["zoo/kernels/cpu"],
}
TRY = """
import contextlib, io, json, math, re, sys
from pathlib import Path
import pytest
import zoo
from zoo.commands.train import main as train
from zoo.commands.list import main as listing
from zoo.commands.predict import main as predict
from zoo.runs.directory import find_runs

tiny = ["trainer.max_steps=2", "trainer.eval_steps=1", "trainer.device=cpu", "output_dir=outputs"]
tiny += ["trainer.precision=fp32"]
for command in COMMANDS:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = train([*command, *tiny])
    assert code == 0, (command, printed.getvalue())
assert train(["model=maxout", "model.piece=2"]) == 2
with contextlib.redirect_stdout(io.StringIO()) as listed:
    assert listing(["models"]) == 0
assert "maxout" in listed.getvalue(), listed.getvalue()
with contextlib.redirect_stdout(io.StringIO()) as listed:
    assert listing(["data"]) == 0 and train(["--help"]) == 0
missing = [name for name in CHOICES if name not in re.findall(r"\\w+", listed.getvalue())]
assert missing == [], (missing, listed.getvalue())
columns = zoo.load("outputs/maxout_diabetes").encoding.to_json()["columns"]
header, values = zip(*((column["name"], str(column["median"])) for column in columns))
Path("patients.csv").write_text(",".join(header) + "\\n" + ",".join(values) + "\\n")
for words in PREDICTIONS:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert predict([*words, "json=true"]) == 0
    (row,) = map(json.loads, printed.getvalue().splitlines())
    assert ("class" in row or math.isfinite(row["value"])) and row["input"], row
for path in find_runs(Path("outputs")):  # of an optimizer, a schedule: as any other
    assert not zoo.load(path).model.training
print("tests")
raise SystemExit(pytest.main(["-vv", "-p", "no:cacheprovider", *FILES, "-k", NAMES]))
"""


def commands(program):
    """The words behind a program in the examples' commands."""
    blocks = re.findall(r"^```bash\n(.*?)^```", "".join(EXAMPLES), re.DOTALL | re.MULTILINE)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    return [shlex.split(line.removeprefix(program)) for line in lines if line.startswith(program)]


@pytest.mark.parametrize("heading", PLACES)
def test_one_python_file_and_one_yaml_file_are_added(heading):
    (section,) = [text for text in EXAMPLES if text.startswith(heading)]
    files = [Path(name) for name, _ in FILE.findall(section)]
    if heading == "An encoding":
        files, dataset = files[:1], files[1:]
        assert [str(file.parent) for file in dataset] == PLACES["A dataset"]
    assert [str(file.parent) for file in files] == PLACES[heading]
    assert len({file.stem for file in files}) == 1


def test_the_examples_work(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("zoo", "configs", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in FILES.items():
        assert not (ROOT / name).exists(), f"{name} is real now; CONTRIBUTING needs another example"
        (tmp_path / name).write_text(text)
    tests = commands("python -m pytest ")
    files = sorted({word for words in tests for word in words if word.startswith("tests/")})
    names = sorted({name for words in tests for name in words[-1].split(" or ")})
    assert names == sorted({Path(name).stem for name in FILES})
    given = {"COMMANDS": commands("python train.py "), "FILES": files, "NAMES": " or ".join(names)}
    given["PREDICTIONS"] = commands("python scripts/predict.py ")
    given["CHOICES"] = [Path(name).stem for name in FILES if name.startswith("configs/")]
    assert len(given["PREDICTIONS"]) == 3 and len(given["CHOICES"]) == 7
    script = "\n".join(f"{name} = {value!r}" for name, value in given.items()) + TRY
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "model.piece'; did you mean 'model.pieces'?" in done.stderr
    tried = done.stdout.partition("tests\n")[2]
    for name in names:
        assert re.search(rf"\[(.*-)?{name}(-.*)?\] PASSED", tried), (
            f"no test tries {name}:\n{tried}"
        )


def test_the_examples_are_formatted_as_ours(tmp_path):
    for name, text in FILES.items():
        if name.endswith(".py"):
            (tmp_path / name.replace("/", "_")).write_text(text)
    ours = "lint.isort.known-first-party=['zoo']"  # files of the examples that others import, too
    for command in (["check", "--no-cache"], ["format", "--check"]):
        arguments = ["--config", str(ROOT / "pyproject.toml"), "--config", ours, str(tmp_path)]
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *arguments])
        assert done.returncode == 0
