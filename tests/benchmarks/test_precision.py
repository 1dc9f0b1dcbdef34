"""The rule beside the clock: the table that the documentation shows."""

import re
from pathlib import Path

import pytest

from benchmarks import precision
from benchmarks.precision import Row
from zoo.config.groups import experiments
from zoo.training.precision import MIN_SHARE, MIN_SIZE, _by_products
from zoo.training.products import Products

DOCS = Path(__file__).resolve().parents[2] / "docs" / "training.md"
ROW = re.compile(
    r"\| `(\w+)` \| ([\d.e+-]+) \| ([\d.e+-]+) \| (\w+) \| ([\d.]+) \[.*\] \| (yes|no) \|"
)


def test_the_documented_table_is_that_of_the_rule():
    rows = ROW.findall(DOCS.read_text(encoding="utf-8"))
    assert len(rows) >= 25 and {name for name, *_ in rows} <= set(experiments())
    for name, size, share, chosen, ratio, agree in rows:
        large = 1e6 * float(size) >= MIN_SIZE and float(share) >= MIN_SHARE
        assert chosen == ("bf16" if large else "fp32"), name
        if float(ratio) != precision.WORTH:  # rounded
            assert (agree == "yes") == ((chosen == "bf16") == (float(ratio) < precision.WORTH)), (
                name
            )


def test_a_row():
    products = Products(10, 10 * MIN_SIZE, MIN_SIZE)
    row = Row("mlp", products, _by_products(products)[0], 0.5, 0.4, 0.61)
    assert row.cells() == ["`mlp`", "33.6", "10", "fp32", "0.50 [0.40 to 0.61]", "no"]


def test_an_experiment_is_measured(capsys):
    precision.precision(1, 1, ["experiment=mlp_rain", "data.samples=60"])
    out = capsys.readouterr().out
    assert ROW.search(out) and "agree on" in out and "of 1 (" in out


@pytest.mark.parametrize("ratio", [0.5, 0.9])
def test_what_the_clock_would_choose(ratio):
    row = Row("mlp", Products(), "fp32", ratio, ratio, ratio)
    assert row.faster == ("bf16" if ratio < 0.8 else "fp32")
