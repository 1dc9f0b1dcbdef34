"""The wheel, in an environment of its own: the commands of docs/outside.md, in a bare folder."""

import json
import os
import re
import shlex
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "outside.md").read_text(encoding="utf-8")
FILE = re.compile(r"`([\w/]+\.(?:py|yaml))`\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
SOURCES = ("zoo", "configs", "hydra_plugins", "docs/results.json")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILD = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
WHERE = """
import zoo, zoo.config.groups as groups
from pathlib import Path
package = Path(zoo.__file__).parent
assert (package / "py.typed").is_file()
assert groups.CONFIG_DIR == package / "configs", groups.CONFIG_DIR
print(package)
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="an environment's bin/ is Scripts/ there")


def done(command, **options):
    """Run it; what it printed. Nothing of this process's environment leads it to our sources."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    result = subprocess.run(
        list(map(str, command)), env=environment, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
    )  # fmt: skip
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    return result.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment that has the wheel, built from the sdist, and what it depends on."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, source / name)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    done([sys.executable, "-c", BUILD, "build_sdist", folder], cwd=source)
    (sdist,) = folder.glob("zoo_trainer-*.tar.gz")
    shutil.unpack_archive(sdist, folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    done([sys.executable, "-c", BUILD, "build_wheel", folder], cwd=unpacked)
    (wheel,) = folder.glob("zoo_trainer-*.whl")
    place = folder / "environment"
    venv.create(place, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet"]
    done([*pip, "--no-deps", "--no-index", "--disable-pip-version-check", wheel])
    # The dependencies, shared. An editable Zoo among them is found by a .pth file, unread there.
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return place


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with the page's files."""
    for name, text in FILE.findall(PAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def commands(name):
    """The page's lines that begin with `zoo <name>`, as words."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:2] == ["zoo", name]]


def test_the_page_works_as_it_says(environment, own):
    zoo = environment / "bin" / "zoo"
    assert Path(done([environment / "bin" / "python", "-c", WHERE]).strip()).is_relative_to(
        environment.resolve()
    )
    first, *_ = commands("train")
    said = done([zoo, *first, "trainer.max_steps=3", "trainer.device=cpu"])
    (run,) = (own / "outputs" / "mine").iterdir()
    assert f"zoo evaluate run=outputs/mine/{run.name}" in said and "python" not in said
    result = (run / "result.json").read_text()
    command = shlex.join(["zoo", *first, "trainer.max_steps=3", "trainer.device=cpu"])
    assert json.loads(result)["command"] == command and json.loads(result)["commit"] is None
    (evaluate,) = commands("evaluate")
    assert "accuracy" in done([zoo, *at(run, evaluate)])
    (listed,) = commands("list")
    tables = done([zoo, *listed])
    assert "softmax_regression" in tables and "mine" in tables and "±" in tables
    (sweep,) = commands("sweep")
    assert "2 of 2 done" in done([zoo, *sweep, "trainer.max_steps=2", "trainer.device=cpu"])


def at(run, words):
    """The words, with a real run in place of the page's."""
    return [f"run={run}" if word.startswith("run=") else word for word in words]
