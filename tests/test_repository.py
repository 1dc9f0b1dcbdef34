"""What every file of the repository keeps to."""

import ast
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIRED = [
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "pyproject.toml",
    "constraints.txt",
    ".pre-commit-config.yaml",
    ".gitignore",
    ".ci/run",
    "train.py",
    "evaluate.py",
    "scripts/setup.sh",
    "docs/decisions.md",
    "docs/guide.md",
    "docs/language.md",
    "docs/training.md",
    "docs/data.md",
    "docs/tensorboard.md",
    "docs/outside.md",
    "setup.py",
    ".github/workflows/tests.yml",
    "docs/images/tensorboard.png",
]
SHOWN = (".py", ".yaml", ".yml", ".md", ".toml", ".sh", ".txt", "Makefile", "run", ".gitignore")


def tracked():
    """Files that git knows; without git (a download), those that it would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        return sorted({ROOT / name for name in done.stdout.splitlines()})
    folders = ("zoo", "benchmarks", "configs", "tests", "scripts", "docs")
    return sorted(p for name in folders for p in (ROOT / name).rglob("*") if p.is_file())


FILES = [path for path in tracked() if path.is_file()]
PYTHON = [path for path in FILES if path.suffix == ".py"]


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("name", REQUIRED)
def test_required_files_are_there(name):
    assert (ROOT / name).is_file()


def test_scripts_can_be_executed():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_configs_begin_with_a_comment():
    """It says what the choice is; `scripts/list.py` shows it."""
    wrong = [named(p) for p in FILES if p.suffix in (".yaml", ".yml") and not begins(p)]
    assert wrong == []


def begins(path):
    return path.read_text(encoding="utf-8").startswith("#")


def test_every_group_has_its_package_and_every_choice_its_name():
    for path in (ROOT / "configs").glob("*/[!_]*.yaml"):
        if path.parent.name in ("model", "data", "task", "optim", "schedule"):
            assert re.search(r"^name: \w+", path.read_text(), re.MULTILINE), named(path)


def test_python_compiles_as_311():
    for path in PYTHON:
        ast.parse(path.read_text(encoding="utf-8"), named(path), feature_version=(3, 11))


def test_files_are_short():
    long = {
        named(path): lines
        for path in PYTHON
        if named(path).startswith(("zoo/", "benchmarks/", "docs/"))
        and (lines := path.read_text(encoding="utf-8").count("\n")) > 300
    }
    assert long == {}


def test_scripts_are_entry_points():
    """Logic is in zoo/commands or benchmarks/, where tests import it."""
    long = {
        path.name: lines
        for path in (ROOT / "scripts").glob("*.py")
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 20
    }
    assert long == {}


def test_tests_are_named_after_what_they_test():
    """`tests/optim/test_muon.py` tests zoo/optim/muon.py, `test_checkpoint_writes.py` a part of
    checkpoint.py; what is tested as a whole is at the top of tests/."""
    wrong = []
    for path in PYTHON:
        folder = path.relative_to(ROOT).parts[1:-1]
        if named(path).startswith("tests/") and folder and path.name.startswith("test_"):
            homes = ROOT.joinpath("zoo", *folder), ROOT.joinpath(*folder)
            tested = {folder[-1], *(found.stem for home in homes for found in home.glob("[a-z]*"))}
            name = path.stem.removeprefix("test_")
            if not any(f"{name}_".startswith(f"{module}_") for module in tested):
                wrong.append(named(path))
    assert wrong == []


def test_modules_say_what_they_are():
    silent = [named(p) for p in PYTHON if not ast.get_docstring(ast.parse(p.read_text()))]
    assert silent == []


def test_text_is_clean():
    for path in FILES:
        if path.name.endswith(SHOWN):
            text = path.read_bytes().decode("utf-8")
            assert "\r" not in text, named(path)
            assert not text or text.endswith("\n"), f"{named(path)}: no newline at the end"
            assert not re.search(r"[ \t]+$", text, re.MULTILINE), (
                f"{named(path)}: spaces at a line's end"
            )


def test_large_files_stay_out():
    assert [named(p) for p in FILES if p.stat().st_size > 1_000_000] == []


def test_the_readme_lays_out_what_is_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    layout = readme.partition("## How it is laid out")[2].partition("```text\n")[2].split("```")[0]
    for path in re.findall(r"[\w.]+/[\w./]*|\b\w+\.py\b", layout):
        assert (ROOT / path).exists(), path
    packages = {p.name for p in (ROOT / "zoo").iterdir() if (p / "__init__.py").exists()}
    missing = {f"zoo/{name}" for name in packages} - set(re.findall(r"zoo/\w+", layout))
    assert not missing, f"not in the README's layout: {missing}"


def test_what_we_import_is_declared_and_pinned():
    """Every package outside the standard library stands in pyproject.toml and constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {name_of(line) for line in project["dependencies"]}
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {name_of(line) for line in pinned if line and not line.startswith("#")}
    extras = project["optional-dependencies"]
    optional = {
        name_of(line)
        for extra in ("gguf", "harness", "hf", "hub", "onnx", "quantize", "zh")
        for line in extras[extra]
    }
    called = {"PIL": "pillow", "sklearn": "scikit-learn", "hydra": "hydra-core", "yaml": "pyyaml"}
    for path in PYTHON:
        if named(path).startswith("zoo/"):
            for name in imported(path):
                known = called.get(name, name).lower().replace("_", "-") in declared | optional
                assert known, f"{named(path)} imports {name}"
    development = {name_of(line) for line in project["optional-dependencies"]["dev"]}
    assert declared | development <= pins
    assert all(
        re.fullmatch(r"[\w.-]+==[\w.]+", line)
        for line in pinned
        if not line.startswith("#") and line
    )


def name_of(requirement):
    return re.match(r"[\w-]+", requirement)[0].lower().replace("_", "-")


def imported(path):
    """Packages from outside that a file of ours imports."""
    import sys

    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
        for name in {name.split(".")[0] for name in names}:
            if name != "zoo" and name not in sys.stdlib_module_names:
                yield name


def test_the_workflow_tests_every_python_that_is_promised():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    versions = re.search(r"python: \[(.*)\]", workflow)[1].replace('"', "").split(", ")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, last = re.search(r"Python (\d\.\d+) to (\d\.\d+)", readme).groups()
    assert [versions[0], versions[-1]] == [first, last] and len(versions) == 4
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={first}"


def test_make_lists_its_targets():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)", makefile, re.MULTILINE)[1].split())
    assert {"train", "test", "lint", "format", "results", "clean", "help"} <= targets == phony


def test_make_results_trains_what_is_published():
    """After what it starts from."""
    lists = re.findall(r"experiment=(\S+)", (ROOT / "Makefile").read_text())
    trained = [name for names in lists for name in names.split(",")]
    published = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    assert set(published) <= set(trained)
    for name, row in published.items():
        for key in ("init.from", "teacher.from"):
            if source := row["settings"].get(key):
                assert trained.index(Path(source).name) < trained.index(name)


def test_setup_says_in_one_line_what_is_missing(tmp_path):
    """No such Python; one that is too old; one without its venv module."""
    old = fake_python(tmp_path / "old", 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac')
    bare = fake_python(
        tmp_path / "bare", 'case "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac'
    )
    for python, said in (
        ("no-such-python", "there is no 'no-such-python'"),
        (old, "is Python 3.9, Zoo needs 3.11 or newer"),
        (bare, "sudo apt install python3.12-venv"),
    ):
        done = subprocess.run(
            ["sh", "scripts/setup.sh"],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHON": str(python), "VENV": str(tmp_path / "venv")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 2 and said in done.stderr, done
        assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
        assert not (tmp_path / "venv").exists()


def fake_python(path, answers):
    path.write_text(f"#!/bin/sh\n{answers}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the CPU build is looked for on Linux")
@pytest.mark.skipif(
    Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi", path="/usr/bin:/bin"),
    reason="this machine has an NVIDIA driver",
)
def test_setup_tries_the_cpu_build_once_and_falls_back(tmp_path):
    (tmp_path / "bin").mkdir()
    log = tmp_path / "log"
    fake_python(
        tmp_path / "bin" / "python",
        f'echo "$*" >> {log}; case "$*" in *download.pytorch.org*|*importlib*) exit 1;; esac',
    )
    done = subprocess.run(
        ["sh", "scripts/setup.sh", ".[dev]"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "VENV": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    calls = [line for line in log.read_text().splitlines() if "pip" in line and "install" in line]
    assert len(calls) == 2 and "taking the usual one" in done.stdout
    assert "--timeout 5 --retries 0" in calls[0] and calls[0].endswith("+cpu")
    assert calls[1].endswith("--constraint constraints.txt --editable .[dev]")
    assert (tmp_path / "installed-dev").exists()
