"""The two ratios that startup time is held to."""

from benchmarks import startup


def test_both_ratios_are_printed_with_their_targets(monkeypatch, capsys):
    seconds = {"import torch": 2.0, "--help": 0.5, startup.TORCH_STEP: 2.5, startup.ZOO_STEP: 3.0}

    def python_process(*arguments):
        return lambda: seconds[arguments[1]]

    monkeypatch.setattr(startup, "python_process", python_process)
    startup.startup(rounds=2)
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "--help / import torch 0.25 [0.25 to 0.25]; target at most 0.30: met",
        "first step / (import torch + one optimizer step) 1.20 [1.20 to 1.20]; "
        "target at most 1.00: MISSED",
    ]
