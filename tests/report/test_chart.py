"""Charts hold the values that they draw."""

import math
import re

from zoo.report.chart import HEIGHT, LEFT, WIDTH, draw
from zoo.report.series import Series


def two():
    train = Series("training", [(1, 4.0), (2, math.nan), (3, 1.0), (5, 0.5)], "train")
    return [train, Series("test", [(5, 0.75)], "test")]


def test_lines_break_where_a_value_is_lost():
    drawn = draw("c", "loss", two(), mark=3)
    line = re.search(r'd="([^"]*)" class="line train"', drawn.html)[1]
    assert line.count("M") == 2 and line.count("L") == 1
    assert "training: 1 of the values not finite" in drawn.html
    pairs = re.findall(r"[ML]([\d.]+ [\d.]+)", line)
    numbers = [tuple(map(float, pair.split())) for pair in pairs]
    assert all(LEFT <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in numbers)
    assert numbers[0][1] < numbers[1][1] < numbers[2][1]  # lower values further down


def test_the_script_gets_what_is_drawn():
    content = draw("c", "loss", two()).data
    assert content["series"][0]["steps"] == [1, 2, 3, 5]
    assert content["series"][1] == {"name": "test", "kind": "test", "steps": [5], "values": [0.75]}
    assert set(content["y"]) == {"linear", "log"}


def test_values_have_a_table_and_words():
    said = draw("c", "loss", two()).html
    assert '<th scope="row">3</th><td>1.0000</td><td></td>' in said
    assert "training: from 4.0000 to 0.5000 at step 5, lowest 0.5000, highest 4.0000" in said
    assert 'role="img"' in said and 'aria-labelledby="c-title c-desc"' in said


def test_a_wide_range_begins_logarithmic_and_a_negative_one_has_no_such_axis():
    wide = draw("c", "x", [Series("x", [(1, 1e-4), (2, 1.0)], "val")])
    assert 'class="log"' in wide.html and 'class="linear off"' in wide.html
    low = draw("c", "x", [Series("x", [(1, -1.0), (2, 1.0)], "val")])
    assert set(low.data["y"]) == {"linear"} and "<button" not in low.html


def test_one_point_is_drawn():
    assert "<circle" in draw("c", "x", [Series("x", [(0, 0.0)], "val")]).html
