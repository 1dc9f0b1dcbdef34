"""result.json as somebody else may have written it."""

import json

import pytest

from zoo.compare.main import main as compare
from zoo.errors import UserError
from zoo.runs.directory import RunDirectory
from zoo.runs.result import read_result


def written(folder, **entries):
    (folder / "result.json").write_text(json.dumps(entries))
    return RunDirectory(folder)


def test_texts_are_one_line(tmp_path):
    result = read_result(written(tmp_path, reason="a\n\x1b[31mb", best=None, other={"x": 1}))
    assert result == {"reason": "a \\x1b[31mb", "best": None, "other": {"x": 1}}


DAMAGED = [
    ("best", [1]), ("test", 0.5), ("environment", "cpu"), ("data", 3), ("status", 1),
    ("monitor", []), ("seconds", float("inf")), ("seed", 0.5), ("parameters", "42"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), DAMAGED)
def test_entries_of_other_types_are_refused(name, value, tmp_path):
    with pytest.raises(UserError, match=f"is not a run's: {name} is "):
        read_result(written(tmp_path, **{name: value}))


def test_a_comparison_lists_damaged_runs_and_repeats_no_foreign_words(rain_run, copied, command):
    run = copied(rain_run)
    result = read_result(RunDirectory(run))
    written(run, **result | {"environment": result["environment"] | {"threads": "1; rm -rf x"}})
    said = command(compare, run)
    assert said.code == 0 and "repeat" in said.out and "rm -rf" not in said.out
    written(run, **result | {"best": "step 40"})
    said = command(compare, run)
    assert said.code == 1 and "broken" in said.out and "best is 'step 40'" in said.out
