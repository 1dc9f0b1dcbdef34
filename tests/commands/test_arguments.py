"""`key=value` arguments of scripts."""

import pytest

from zoo.commands.arguments import options, print_help, with_config_dir
from zoo.config import groups
from zoo.errors import UserError

USAGE = "python scripts/results.py run=... [top=5]\n\nPrints results."


def test_options_and_overrides_of_the_config_are_separated():
    values, overrides = options(["run=a=b", "data=iris", "optim.lr=1"], USAGE, run=..., top="5")
    assert values == {"run": "a=b", "top": "5"}
    assert overrides == ["data=iris", "optim.lr=1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "run= is missing; usage: python scripts/results.py run="),
        (["run=a", "tip=3"], "unknown option 'tip=3'; did you mean 'top='"),
        (["a"], r"unknown option 'a' \(options: run=, top=\)"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        options(arguments, USAGE, run=..., top="5")


def test_help_prints_the_usage(capsys):
    with pytest.raises(SystemExit) as stop:
        options(["--help"], USAGE, run=...)
    assert stop.value.code == 0 and capsys.readouterr().out.strip() == USAGE


def test_help_is_folded_below_its_beginnings_on_a_narrow_terminal(capsys, monkeypatch):
    usage = """\
python scripts/export.py run=outputs/<name> format=... out=...

Writes a model for other programs, and
says how to use it.

run=     a folder
format=  onnx   a graph for any runtime
         hf     as transformers has it: for
                three models
python scripts/list.py shows all"""
    monkeypatch.setenv("COLUMNS", "42")
    monkeypatch.setattr("zoo.terminal.is_live", lambda stream: True)
    print_help(usage)
    assert capsys.readouterr().out.splitlines() == [
        "python scripts/export.py",
        "    run=outputs/<name> format=... out=...",
        "",
        "Writes a model for other programs, and",
        "says how to use it.",
        "",
        "run=     a folder",
        "format=  onnx   a graph for any runtime",
        "         hf     as transformers has it:",
        "                for three models",
        "python scripts/list.py shows all",
    ]
    monkeypatch.setenv("COLUMNS", "80")
    print_help(usage)
    assert capsys.readouterr().out == f"{usage}\n"


@pytest.mark.parametrize("form", [["--config-dir={}"], ["--config-dir", "{}"], ["-cd", "{}"]])
def test_a_config_folder_is_in_effect_during_the_command_alone(form, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\n")
    seen = []

    def work(rest):
        seen.append((rest, "mine" in groups.choices("experiment")))
        return 3

    words = [word.format(tmp_path) for word in form]
    assert with_config_dir(work, ["a=1", *words, "b=2"]) == 3
    assert seen == [(["a=1", "b=2"], True)] and "mine" not in groups.choices("experiment")
    with pytest.raises(UserError, match="--config-dir names no folder"):
        with_config_dir(work, ["--config-dir"])
