"""What a person sees of a run, without a terminal."""

import pytest

from zoo.training.console import Console, duration, show


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.25, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.12345, "0.1235"), (0.0, "0"), (1.5e-5, "1.5e-05"), (12345.6, "1.23e+04")]
)
def test_numbers_have_few_digits(value, text):
    assert show(value) == text


def test_what_is_printed_is_kept_in_the_log(tmp_path, capsys):
    console = Console()
    console.log_to(tmp_path / "train.log")
    console.begin(0, 200)
    console.evaluated(50, {"loss": 0.5}, best=True)
    console.warn("slow")
    console.end(50)
    printed = capsys.readouterr().out
    assert printed == "step  50/200  val    loss 0.5000  best\nwarning: slow\n"
    assert (tmp_path / "train.log").read_text() == printed


def test_other_ranks_print_and_keep_nothing(tmp_path, capsys):
    console = Console(enabled=False)
    console.log_to(tmp_path / "train.log")
    console.line("text")
    assert capsys.readouterr().out == "" and not (tmp_path / "train.log").exists()


def test_tables_are_aligned(capsys):
    Console().table([("", "val", "test"), ("accuracy", "0.9", "0.85")])
    assert capsys.readouterr().out == "            val  test\n  accuracy  0.9  0.85\n"
