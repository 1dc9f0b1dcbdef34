"""A run as a notebook shows it: where its lines lie, and what is left out."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

from zoo.api.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, as_html
from zoo.report.series import MAX_POINTS

ROWS = [
    {"step": 5, "split": "train", "loss": 3.0, "accuracy": 0.1},
    {"step": 10, "split": "train", "loss": 1.0, "accuracy": 0.7},
    {"step": 10, "split": "val", "loss": 2.0, "accuracy": 0.6},
    {"step": 10, "split": "test", "loss": 9.0, "accuracy": 0.9},
]


def panels(html):
    """The SVGs, by label."""
    found = re.findall(r"<svg.*?</svg>", html)
    return {(tree := ElementTree.fromstring(one)).get("aria-label"): tree for one in found}


def points(tree):
    """The points of each line, by split."""
    paths = [path for path in tree.iter("{http://www.w3.org/2000/svg}path") if path.get("class")]
    return {
        path.get("class"): [tuple(map(float, one.split())) for one in path.get("d")[1:].split("L")]
        for path in paths
    }


def test_a_line_for_each_split_from_the_lowest_value_to_the_highest():
    html = as_html(Path("outputs/a<b"), ROWS, {"monitor": "accuracy", "status": "done",
                   "test": {"accuracy": 0.9, "auc": None}})  # fmt: skip
    assert "outputs/a&lt;b" in html and "done, test accuracy 0.9000" in html
    found = panels(html)
    assert list(found) == ["loss by step", "accuracy by step"]
    lines = points(found["loss by step"])
    middle, right, bottom = (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT, HEIGHT - BOTTOM
    (left_end, right_end), (dot, same) = lines["train"], lines["val"]  # the test's is not drawn
    assert left_end[0] == middle and right_end[0] == right and dot == same
    assert TOP < left_end[1] < dot[1] < right_end[1] < bottom  # 3, 2, 1
    assert abs(left_end[1] + right_end[1] - 2 * dot[1]) < 0.2


def test_a_run_that_has_just_begun_has_no_panel():
    html = as_html(Path("run"), [], {})
    assert "unfinished" in html and "<svg" not in html


def test_what_is_not_finite_is_left_out_and_a_spike_is_kept():
    rows = [{"step": k, "split": "train", "loss": math.nan if k % 2 else 1.0} for k in range(3000)]
    rows[1500]["loss"] = 9.0
    (tree,) = panels(as_html(Path("run"), rows, {"monitor": "-loss"})).values()
    line = points(tree)["train"]
    assert 100 < len(line) <= 2 * MAX_POINTS and all(math.isfinite(y) for _, y in line)
    assert line[0][0] == LEFT and WIDTH - RIGHT - line[-1][0] < 0.2
    assert sum(y < HEIGHT / 2 for _, y in line) == 1
