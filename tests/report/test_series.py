"""Long series are drawn by their extremes."""

import json
import math

import pytest

from zoo.report.series import decimated, read


def test_short_series_are_whole():
    points = [(k, float(k)) for k in range(600)]
    assert decimated(points) == points


def test_a_spike_and_a_lost_value_of_one_step_are_kept():
    points = [(k, math.sin(k / 900)) for k in range(20_000)]
    points[2_345], points[14_321], points[9_001] = (2_345, 9.0), (14_321, -7.0), (9_001, math.nan)
    kept = decimated(points)
    assert len(kept) < 800
    assert (2_345, 9.0) in kept and (14_321, -7.0) in kept
    assert any(math.isnan(value) for _, value in kept)
    assert kept[0] == points[0] and kept[-1] == points[-1]
    assert [step for step, _ in kept] == sorted({step for step, _ in kept})


@pytest.mark.parametrize("name", ["short", "damaged"])
def test_a_file_is_read_as_far_as_it_is_whole(tmp_path, name):
    file = tmp_path / "metrics.jsonl"
    rows = [{"step": 1, "split": "train", "loss": 2.0}, {"step": 1, "split": "val", "loss": None}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    file.write_text(text + ("not a row\n" if name == "damaged" else '{"step": 2'))
    metrics, problem = read(file)
    assert metrics["loss"]["train"] == [(1, 2.0)] and math.isnan(metrics["loss"]["val"][0][1])
    assert ("line 3" in problem) if name == "damaged" else problem is None
