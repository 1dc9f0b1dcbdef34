"""A run as a notebook shows it: where its lines lie, and what is left out."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

from zoo.api.curves import BOTTOM, HEIGHT, LEFT, MOST, RIGHT, TOP, WIDTH, as_html

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
    mark = "{http://www.w3.org/2000/svg}"
    return {
        line.find(f"{mark}title").text: [
            tuple(map(float, point.split(","))) for point in line.get("points").split()
        ]
        for line in tree.iter(f"{mark}polyline")
    }


def test_a_line_for_each_split_from_the_lowest_value_to_the_highest():
    html = as_html(Path("outputs/a<b"), ROWS, {"monitor": "accuracy", "status": "done",
                   "test": {"accuracy": 0.9, "auc": None}})  # fmt: skip
    assert "outputs/a&lt;b" in html and "done, test accuracy 0.9" in html
    found = panels(html)
    assert list(found) == ["loss by step", "accuracy by step"]
    lines = points(found["loss by step"])
    middle, right, bottom = (LEFT + WIDTH - RIGHT) / 2, WIDTH - RIGHT, HEIGHT - BOTTOM
    assert lines["train"] == [(middle, TOP), (right, bottom)]  # from 3 down to 1
    assert lines["val"] == [(right, (TOP + bottom) / 2)]  # 2; the test's is not drawn


def test_a_run_that_has_just_begun_has_no_panel():
    html = as_html(Path("run"), [], {})
    assert "unfinished" in html and "<svg" not in html


def test_what_is_not_finite_is_left_out_and_long_runs_are_thinned():
    rows = [{"step": k, "split": "train", "loss": math.nan if k % 2 else 1.0} for k in range(3000)]
    (tree,) = panels(as_html(Path("run"), rows, {"monitor": "-loss"})).values()
    line = points(tree)["train"]
    assert MOST / 2 < len(line) <= MOST + 1
    assert line[0][0] == LEFT and line[-1][0] == round(LEFT + (WIDTH - RIGHT - LEFT) * 1, 1)
    assert all(math.isfinite(y) for _, y in line)
