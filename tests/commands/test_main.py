"""The command `zoo`: a table of commands at once, and the same code as the scripts'."""

import ast
import subprocess
import sys

import pytest
from support import ROOT

from zoo import __version__
from zoo.commands import main as command
from zoo.program import command_line

HEAVY = ("torch", "numpy", "hydra", "omegaconf", "yaml")


@pytest.fixture
def zoo(capsys, monkeypatch):
    """Call it in this process; gives its code, what it printed and complained."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["/usr/bin/zoo", *arguments])
        code = command.main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_help_names_every_command_without_importing_what_they_need():
    script = (
        "import sys; from zoo.commands.main import main; code = main(['--help']); "
        f"assert not set({HEAVY}) & set(sys.modules), sys.modules.keys(); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [row[0] for row in rows] == list(command.COMMANDS)
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_every_command_is_there_and_every_script_is_a_command():
    files = {name: ROOT / "zoo" / f"{module.replace('.', '/')}.py" for name, (module, _) in
             command.COMMANDS.items()}  # fmt: skip
    for name, file in files.items():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert any(isinstance(n, ast.FunctionDef) and n.name == "main" for n in tree.body), name
    for script in ("predict", "compare", "curves", "list", "find_lr", "export", "export_vectors"):
        assert (ROOT / "scripts" / f"{script}.py").is_file()
        assert script.replace("_", "-") in command.COMMANDS


def test_without_a_command_or_with_an_unknown_one(zoo):
    code, said, _ = zoo()
    assert code == 2 and "zoo <command>" in said
    code, _, complaint = zoo("tran", "optim.lr=1")
    assert code == 2 and complaint.count("\n") == 1
    assert "unknown command 'tran'; did you mean 'train'?" in complaint


def test_help_is_a_command_too(zoo):
    assert zoo("help") == zoo("--help") and zoo("help")[0] == 0


def test_version_is_that_of_zoo(zoo):
    for arguments in (["--version"], ["train", "--version"]):
        assert zoo(*arguments)[:2] == (0, f"zoo {__version__}\n")


def test_messages_name_the_command_that_was_used(zoo, capsys):
    _, said, _ = zoo("train", "--help")
    assert "usage: zoo train [experiment=...]" in said and "zoo list" in said
    assert "python" not in said.partition("The settings of this command")[0]
    _, _, complaint = zoo("evaluate")
    assert "usage: zoo evaluate run=" in complaint
    assert command.main(["list", "--help"]) == 0
    assert capsys.readouterr().out.startswith("zoo list [models|data|experiments]")


def test_sweep_is_train_with_m(zoo):
    code, _, complaint = zoo("sweep", "sweep.resume=nowhere")
    assert code == 2 and "sweep.resume=nowhere holds no sweep.json" in complaint
    assert command_line() == "zoo train -m sweep.resume=nowhere"
