"""What a person sees of a run, on a terminal of any width and without one."""

import io
import re

import pytest
from screen import Screen

from zoo.terminal import columns
from zoo.training import console as module
from zoo.training.console import Console, duration, exact, show
from zoo.training.progress_bar import ProgressBar

WIDE = {
    "loss": 0.1168, "perplexity": 1453.95, "bits_per_byte": 4.9656, "accuracy": 0.9944,
    "exact_match": 0.0, "balanced_accuracy": 0.5123, "macro_f1": 0.5011, "bleu": 0.31,
}  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch):
    """Both streams on one screen of 80 columns."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(module.sys, name, terminal)
    return terminal


def lines(terminal):
    screen = Screen()
    screen.feed(terminal.getvalue())
    return screen.lines[:-1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.25, "4.2 s"), (42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "shown", "predicted"),
    [
        (0.12345, "0.1235", "0.12345"), (0.0, "0", "0"), (1.5e-5, "1.5e-05", "1.5e-05"),
        (583412.25, "583,412", "583412.2"), (-58341.2, "-58,341", "-58341.2"),
        (1453.9501, "1,454.0", "1453.95"), (767.3882, "767.39", "767.3882"),
        (31234567.0, "31,234,567", "31234567"), (3e13, "3e+13", "30000000000000"),
    ],
)  # fmt: skip
def test_numbers_are_short_where_shown_and_whole_where_predicted(value, shown, predicted):
    assert show(value) == shown and exact(value) == predicted


def test_what_is_printed_is_kept_in_the_log(tmp_path, capsys):
    console = Console()
    console.log_to(tmp_path / "train.log")
    console.begin(0, 0.0, 200)
    console.evaluated(50, {"loss": 0.5}, best=True)
    console.warn("slow")
    console.end(50)
    printed = capsys.readouterr().out
    assert printed == "step  50/200  val    loss 0.5000  best\nwarning: slow\n"
    assert (tmp_path / "train.log").read_text() == printed


def test_a_named_line_is_wrapped_below_itself_on_a_terminal_alone(monkeypatch, capsys, tmp_path):
    text = "0.5 kB of text in 1 document: 131 tokens, 3.82 bytes per token, vocabulary 431"
    console = Console()
    console.log_to(tmp_path / "train.log")
    monkeypatch.setenv("COLUMNS", "80")
    console.entry("note", text)
    monkeypatch.setattr("zoo.terminal.is_live", lambda stream: True)
    console.entry("note", text)
    console.entry("device", "cpu")
    whole, *wrapped, short = capsys.readouterr().out.splitlines()
    assert whole == f"note       {text}" and short == "device     cpu"
    assert len(wrapped) == 2 and max(map(len, wrapped)) < 80
    assert wrapped[1] == "           vocabulary 431"
    assert (tmp_path / "train.log").read_text().splitlines() == [whole, whole, short]


@pytest.mark.parametrize("term", ["dumb", None])
def test_without_a_cursor_there_are_plain_lines(monkeypatch, capsys, term, tmp_path):
    console = Console()
    if term:
        monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("TERM", term)
    console.begin(0, 0.0, 200, "accuracy")
    console.progress(50, 1.0)
    console.evaluated(50, WIDE, best=False)
    out, err = capsys.readouterr()
    assert err == "" and "\x1b" not in out and all(name in out for name in WIDE)


def test_each_validation_leaves_a_line_above_the_bar(monkeypatch, tmp_path):
    screen = on_terminal(monkeypatch)
    console = Console()
    console.log_to(tmp_path / "train.log")
    console.begin(0, 0.0, 787, "balanced_accuracy")
    for step in (100, 200):
        console.progress(step, step / 145)
        console.trained(step, {"loss": 0.547, "accuracy": 0.9, "lr": 1e-3}, step / 145)
        console.evaluated(step, WIDE, best=step == 100)
        console.progress(step + 50, (step + 50) / 145)
    console.warn("slow")
    console.progress(300, 300 / 145)
    *kept, running = lines(screen)
    assert [line[:18] for line in kept] == [
        "step 100/787  val ",
        "step 200/787  val ",
        "warning: slow",
    ]
    assert "loss 0.1168" in kept[0] and "balanced_accuracy 0.5123" in kept[0]
    assert kept[0].endswith("best") and not kept[1].endswith("best")
    assert max(map(len, [*kept, running])) < 80
    assert "loss 0.5470" in running and "  val 0.5123  " in running
    assert "145/s" in running and "3 s left" in running
    console.end(300)
    assert lines(screen) == kept  # the bar is gone
    log = (tmp_path / "train.log").read_text()
    assert all(name in log for name in WIDE) and "\x1b" not in log and "left" not in log


@pytest.mark.parametrize("score", ["loss", "accuracy", "balanced_accuracy", "average_precision"])
@pytest.mark.parametrize("step", [0, 40, 99_999, 100_000])
def test_the_bar_fits_any_terminal(score, step):
    bar = ProgressBar(io.StringIO(), 0, 100_000, 0.0, None)
    bar.loss, bar.score = "loss 583,412", (score, "1,453.9")
    bar.update(step, 7500.0)
    for width in (199, 79, 59):
        text = bar.text(width)
        assert columns(text) <= width and len(re.search(r"\[[#.]+]", text)[0]) >= 22, text
        assert "loss 583,412" in text and ("left" in text or not step)
        if width > 60 and step:
            assert "val " in text and re.search(r"\d( steps)?/s|s/step", text), text
    assert columns(bar.text(30)) <= 30


def test_minutes_that_end_training_first_are_the_time_left():
    bar = ProgressBar(io.StringIO(), 0, 1000, 0.0, limit=60.0)
    bar.update(10, 45.0)
    assert "15 s left" in bar.text(79) and bar.text(79).count("#") == 30


def test_other_ranks_print_and_keep_nothing(tmp_path, capsys):
    console = Console(enabled=False)
    console.log_to(tmp_path / "train.log")
    console.line("text")
    assert capsys.readouterr().out == "" and not (tmp_path / "train.log").exists()


def test_tables_are_aligned(capsys):
    Console().table([("", "val", "test"), ("accuracy", "0.9", "0.85"), ("准确率", "1", "1")])
    assert capsys.readouterr().out.splitlines() == [
        "            val  test", "  accuracy  0.9  0.85", "  准确率      1     1",
    ]  # fmt: skip


def test_the_end_of_a_run_fits_the_terminal_and_its_commands_can_be_pasted(monkeypatch, tmp_path):
    screen, run = on_terminal(monkeypatch), "outputs/" + "a_long_recipe/" * 3
    console = Console()
    console.log_to(tmp_path / "train.log")
    console.table([
        ("", "validation", "test", "unigram; copy of the source", "expected"),
        ("bits_per_byte", "1.4706", "1.4810", "4.2222", ">= 1.3 NOT MET (test)"),
    ])  # fmt: skip
    console.command("  ", f"python scripts/predict.py run={run} input=...")
    console.warn("one of many inputs is unlike the training data; check units and what is light")
    *shown, last = lines(screen)
    assert max(map(len, [*shown, last])) < 80
    assert shown[-3:-1] == ["  python scripts/predict.py \\", f"    run={run} input=..."]
    table, command, warning = (tmp_path / "train.log").read_text().strip("\n").rsplit("\n", 2)
    assert len(table.splitlines()) == 2 and command.split()[-2:] == [f"run={run}", "input=..."]
    assert warning.startswith("warning: ") and "\n" not in warning
