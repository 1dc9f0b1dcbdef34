"""The learning-rate range test: the curve, the value it names, the script."""

import math
import subprocess
import sys

import pytest
from support import ROOT

from zoo.training.lr_range import suggest

sys.path.insert(0, str(ROOT / "scripts"))


def curve(rates, loss):
    return [(rate, loss(rate)) for rate in rates]


def logspace(low, high, count):
    return [low * (high / low) ** (k / (count - 1)) for k in range(count)]


def test_suggests_where_a_sigmoid_falls_fastest():
    rates = logspace(1e-6, 1, 200)
    falling = curve(rates, lambda r: 2 / (1 + (r / 3e-3)))  # steepest in log r at 3e-3
    assert suggest(falling) == pytest.approx(3e-3, rel=0.25)


def test_what_happens_after_the_lowest_point_is_ignored():
    rates = logspace(1e-6, 1, 200)

    def loss(rate):
        fall = 2 / (1 + rate / 1e-3)
        return fall if rate < 0.05 else fall + 10 * math.sin(40 * rate)  # wild, with steep falls

    found = curve([r for r in rates if r < 0.2], loss)
    lowest = min(found, key=lambda point: point[1])[0]
    assert suggest(found) <= lowest


def test_the_script_draws_and_names_a_rate_that_trains(tmp_path, capsys, data_root):
    import find_lr

    code = find_lr.main(
        ["model=mlp", "data=digits", "steps=60", f"output_dir={tmp_path}", "trainer.device=cpu"]
        + [f"data.root={data_root}", "trainer.precision=fp32", "high=10"]
    )
    printed = capsys.readouterr().out
    assert code in (0, None)
    rate = float(printed.split("optim.lr=")[1].split()[0])
    assert 1e-5 < rate < 1
    assert (tmp_path / "find_lr" / "mlp_digits.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("option", ["low=2", "steps=3", "high=x", "hgih=1"])
def test_a_mistake_is_one_line(option, tmp_path):
    run = subprocess.run(
        [sys.executable, "scripts/find_lr.py", option], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1 and option.split("=")[0] in run.stderr
