"""The command that is printed repeats the run."""

import shlex

import forked
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from support import write_run

from zoo.commands import train as cli
from zoo.compare.command import repeat, repeat_all
from zoo.config.compose import load
from zoo.runs.rank import rank
from zoo.runs.records import Record, read_runs

TINY = ("experiment=mlp_rain", "trainer.eval_steps=2", "model.width=5")


def arguments(command):
    words = shlex.split(command.removeprefix("OMP_NUM_THREADS=1 "))
    assert words[:2] == ["python", "train.py"]
    return words[2:]


def metrics(path):
    return (path / "metrics.jsonl").read_text()


def test_it_repeats_a_run_bit_for_bit(train):
    first = train(*TINY, "trainer.max_steps=4", "optim.lr=0.1", "seed=3").path
    said = repeat(Record.read(first))
    assert "trainer.precision=" in said and "auto" not in said, "the one that was chosen"
    again = train(*arguments(said)).path
    assert again != first and metrics(again) == metrics(first)


def test_the_task_that_the_data_said_is_left_to_them(train, table):
    csv = ("data=csv", f"data.path={table}", "data.target=price", "trainer.precision=fp32")
    first = train("model=mlp", "model.width=4", *csv, "trainer.max_steps=2").path
    said = arguments(repeat(Record.read(first)))
    again = train(*said).path
    assert Record.read(again).settings == Record.read(first).settings
    assert again != first and metrics(again) == metrics(first)


def test_a_budget_that_was_raised_later_is_part_of_it(train):
    run = train(*TINY, "trainer.max_steps=4", "trainer.precision=fp32", "schedule=constant").path
    assert train(f"resume={run}", "trainer.max_steps=6").code == 0
    said = arguments(repeat(Record.read(run)))
    assert "trainer.max_steps=6" in said and "trainer.max_steps=4" not in said
    assert load(said).trainer.max_steps == 6


def test_all_seeds_of_a_group_are_a_sweep(tmp_path):
    outputs = tmp_path / "outputs"
    typed = [*TINY, "trainer.max_steps=2", "trainer.precision=fp32", "trainer.device=cpu"]
    sweep = ["-m", *typed, "seed=4,7", f"output_dir={outputs}"]
    assert forked.call(tmp_path / "log", cli.main, sweep) == 0
    (table,), _ = rank(read_runs([outputs])[0])
    said = arguments(repeat_all(table.groups[0], table.over))
    assert said[0] == "-m" and said[-1] == "seed=4,7"
    assert forked.call(tmp_path / "log", cli.main, said) == 0
    first, second = sorted(outputs.glob("*/*/sweep.json"))
    for seed in ("seed=4", "seed=7"):
        assert metrics(first.parent / seed) == metrics(second.parent / seed)


def test_seeds_and_folds_that_are_no_grid_repeat_the_first_run(tmp_path):
    for seed, fold in ((0, 0), (1, 1)):
        write_run(tmp_path / str(seed), 0.5, seed=seed, data__fold=fold, typed=["x=1"])
    (table,), _ = rank(read_runs([tmp_path])[0], over=("seed", "data.fold"))
    assert "-m" not in repeat_all(table.groups[0], table.over)


def test_texts_that_are_averaged_over_are_quoted_in_the_list(tmp_path):
    for k, note in enumerate(("price, net", "12", "a b")):
        write_run(tmp_path / str(k), 0.5, model__note=note)
    (table,), _ = rank(read_runs([tmp_path])[0], over=("model.note",))
    said = arguments(repeat_all(table.groups[0], table.over))[-1]
    parsed = OverridesParser.create().parse_override(said)
    assert (
        len(list(parsed.sweep_string_iterator())) == 3
        and said == "model.note='12','a b','price, net'"
    )


def test_the_overrides_of_a_removed_experiment_stay_as_typed(tmp_path):
    typed = ["experiment=gone", "data.path=my files", "resume=x"]
    path = write_run(tmp_path / "a", 0.5, typed=typed)
    assert "train.py experiment=gone 'data.path=my files'" in repeat(Record.read(path))


VALUES = ["x, y", "a/b.c", "it's", "C:\\x", "a\\", "true", "12", "", None]


@pytest.mark.parametrize("value", VALUES)
def test_values_are_quoted_for_hydra(tmp_path, value):
    base = ["model=mlp", "data=csv", "data.path=a", "data.target=b"]
    settings = {"data__path": value, "optim__betas": [1e-8, 0.25], "init__skip": ["a b", "c"]}
    loaded = load(
        arguments(repeat(Record.read(write_run(tmp_path / "a", 0.5, typed=base, **settings))))
    )
    assert loaded.data["path"] == value and loaded.optim["betas"] == [1e-8, 0.25]
    assert loaded.init.skip == ["a b", "c"]


def test_a_run_without_overrides(tmp_path):
    default = load([])
    path = write_run(tmp_path / "a", 0.5)
    (path / "overrides.txt").write_text("\n")  # as training writes it
    (path / "config.yaml").write_text(yaml.safe_dump(default.to_dict()))
    assert arguments(repeat(Record.read(path))) == []
