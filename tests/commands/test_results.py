"""The published table: what counts as a published run, what is written, what a check finds."""

import json

import pytest
import yaml

from zoo.commands import results, results_page
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError


@pytest.fixture
def place(tmp_path):
    """A repository's README without figures."""
    (tmp_path / "docs").mkdir()
    for page in ("README.md", "docs/results.md"):
        (tmp_path / page).write_text(f"Above\n{results_page.BEGIN}\n{results_page.END}\nBelow\n")
    return tmp_path


def finished(folder, experiment="mlp_digits", seed=0, day=1, accuracy=0.98, status="done", **set_):
    """A run directory as training leaves it, as far as the table reads it."""
    overrides = [f"{key.replace('__', '.')}={value}" for key, value in set_.items()]
    config = compose.load([f"experiment={experiment}", f"seed={seed}", *overrides]).to_dict()
    path = folder / experiment / f"2026-01-{day:02d}_10-00-00"
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = {
        "status": status,
        "experiment": experiment,
        "seed": seed,
        "model": "mlp",
        "parameters": 85002,
        "seconds": 10.0 + seed,
        "precision": "fp32",
        "val": {"loss": 0.2, "bits_per_byte": 2.0},
        "test": {"loss": 0.1, "accuracy": accuracy},
        "expect": {"test/accuracy": {"expected": ">= 0.98", "reached": accuracy, "met": True}},
        "data": {"name": "digits"},
        "environment": {"device": "cpu", "threads": 2, "torch": "2.13.0"},
        "commit": "abc",
    }
    (path / "result.json").write_text(json.dumps(result))
    return path


def write(place, *arguments):
    code = results.main([f"runs={place / 'outputs'}", *arguments], root=place)
    return code, json.loads((place / "docs" / "results.json").read_text())


def test_mean_and_deviation_over_seeds(place):
    for seed, accuracy in enumerate((0.97, 0.98, 0.99)):
        finished(place / "outputs", seed=seed, day=seed + 1, accuracy=accuracy)
    code, record = write(place)
    entry = record["mlp_digits"]
    assert code == 0 and entry["runs"] == 3 and entry["seeds"] == [0, 1, 2]
    assert entry["metrics"]["test/accuracy"]["mean"] == pytest.approx(0.98)
    assert entry["metrics"]["test/accuracy"]["std"] == pytest.approx(0.01)
    assert entry["seconds"]["mean"] == pytest.approx(11.0)
    readme = (place / "docs" / "results.md").read_text()
    assert readme.startswith("Above\n") and readme.endswith("Below\n")
    assert "| accuracy 98.00 ± 1.00 % (3 seeds) | – | – | 11 s, fp32 |" in readme
    assert results.main(["check=true"], root=place) == 0


def test_only_published_settings_count(place, capsys):
    finished(place / "outputs", seed=0, day=1)
    finished(place / "outputs", seed=1, day=2, optim__lr=0.5)
    finished(place / "outputs", seed=2, day=3, status="interrupted")
    finished(place / "outputs", seed=3, day=4, data__root="elsewhere", output_dir="there")
    _, record = write(place)
    assert record["mlp_digits"]["seeds"] == [0, 3]
    assert "optim.lr 0.5, published" in capsys.readouterr().out


def test_weights_bring_their_model_wherever_they_lie(place, capsys):
    lora = dict(experiment="gpt_lora", model__width=256, data__tokenizer="bpe")
    base = "/far/gpt_stdlib/2026-01-01_10-00-00"
    finished(place / "outputs", seed=0, day=1, **lora, init__from=base)
    finished(place / "outputs", seed=1, day=2, **lora, init__from="/far/gpt_other/2026")
    finished(place / "outputs", seed=2, day=3, **lora, init__from=base, adapter__rank=4)
    _, record = write(place)
    assert record["gpt_lora"]["seeds"] == [0]
    said = capsys.readouterr().out
    assert "init.from /far/gpt_other/2026, published" in said and "adapter.rank 4" in said


def test_a_run_without_the_published_teacher_is_another_one(place, capsys):
    probe = dict(experiment="vae_probe_digits")
    finished(place / "outputs", day=1, **probe, teacher__from="/far/vae_codes_digits/2026")
    finished(place / "outputs", seed=1, day=2, **probe, teacher__from="null")
    _, record = write(place)
    assert record["vae_probe_digits"]["seeds"] == [0]
    assert "teacher.from None, published outputs/vae_codes_digits" in capsys.readouterr().out


def test_a_file_that_a_command_made_may_lie_elsewhere(place, capsys):
    dpo = dict(
        experiment="gpt_dpo", init__from="/far/gpt_functions", teacher__from="/far/gpt_functions"
    )
    finished(place / "outputs", day=1, **dpo, data__path="/far/preferences.jsonl")
    finished(place / "outputs", seed=1, day=2, **dpo, data__path="/far/other.jsonl")
    _, record = write(place)
    assert record["gpt_dpo"]["seeds"] == [0]
    assert "data.path /far/other.jsonl, published" in capsys.readouterr().out


def test_the_newest_run_of_a_seed_counts(place):
    finished(place / "outputs" / "b", day=1, accuracy=0.5)
    finished(place / "outputs" / "a", day=2, accuracy=0.9)
    _, record = write(place)
    assert record["mlp_digits"]["metrics"]["test/accuracy"]["values"] == [0.9]


def test_a_setting_added_since_does_not_disqualify(place):
    path = finished(place / "outputs")
    config = yaml.safe_load((path / "config.yaml").read_text())
    del config["trainer"]["clip"]
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    assert "mlp_digits" in write(place)[1]


def test_results_stay_where_there_are_no_new_runs(place):
    finished(place / "outputs")
    write(place)
    finished(place / "more", experiment="mlp_rain")
    results.main([f"runs={place / 'more'}"], root=place)
    assert list(json.loads((place / "docs" / "results.json").read_text())) == [
        name for name in configs.experiments() if name in ("mlp_digits", "mlp_rain")
    ]


def test_check_finds_an_edited_table_and_an_edited_experiment(place, capsys):
    finished(place / "outputs")
    write(place)
    page = place / "docs" / "results.md"
    text = page.read_text()
    page.write_text(text.replace("98.00", "99.00"))
    assert results.main(["check=true"], root=place) == 1
    assert "results.md" in capsys.readouterr().err
    page.write_text(text)
    record = json.loads((place / "docs" / "results.json").read_text())
    record["mlp_digits"]["settings"]["optim.lr"] = 0.5
    (place / "docs" / "results.json").write_text(json.dumps(record))
    assert results.main(["check=true"], root=place) == 1
    assert "mlp_digits changed since" in capsys.readouterr().err


def classical(place, accuracy, experiment="mlp_digits", **settings):
    value = {"mean": accuracy, "std": 0.01, "values": [accuracy, accuracy + 0.01]}
    row = {
        "name": "support vector machine",
        "seeds": [0, 1],
        "metrics": {"test/accuracy": value},
        "trivial": {"name": "majority class", "metrics": {"test/accuracy": value | {"mean": 0.1}}},
        "settings": settings,
    }
    (place / "docs" / "baselines.json").write_text(json.dumps({experiment: row}))


@pytest.mark.parametrize("theirs,ours_is_bold", [(0.97, True), (0.99, False)])
def test_the_better_of_network_and_classical_model_is_bold(place, theirs, ours_is_bold):
    finished(place / "outputs", accuracy=0.98)
    classical(place, theirs)
    write(place)
    page = (place / "docs" / "results.md").read_text()
    network, other = "accuracy 98.00 % (1 seed)", f"{100 * theirs:.2f} ± 1.00 % support"
    assert (f"| **{network}** |" in page) == ours_is_bold
    assert (f"| **{other}" in page) != ours_is_bold
    assert "| 10.00 ± 1.00 % majority class |" in page


@pytest.mark.parametrize("metric,less", [("accuracy_gap", True), ("nll", True), ("bleu", False)])
def test_which_is_better_follows_from_the_metric(metric, less):
    """As in comparisons of runs."""
    name, value = f"test/{metric}", {"mean": 1.0, "std": 0.1, "values": [1.0, 1.0]}
    row = {"metrics": {name: value}, "expect": {name: ""}, "runs": 2}
    other = {"metrics": {name: value | {"mean": 2.0}}, "name": "other"}
    network, classical = results_page.compared(row, other)
    assert network.startswith("**") == less and classical.startswith("**") != less


def test_every_classical_model_has_its_place_and_the_chosen_one_its_mark(place):
    finished(place / "outputs")
    classical(place, 0.97, **{"data.name": "digits"})
    record = place / "docs" / "baselines.json"
    row = json.loads(record.read_text())["mlp_digits"]
    trees = {"test/accuracy": row["metrics"]["test/accuracy"] | {"mean": 0.95}}
    row["models"] = {"support vector machine": row["metrics"], "boosted trees": trees}
    fewer = row | {"seeds": [0], "models": {"boosted trees": row["metrics"]}}
    record.write_text(json.dumps({"cnn_digits": fewer, "mlp_digits": row}))
    write(place)
    page = (place / "docs" / "results.md").read_text()
    assert "| data | metric | trivial answer | support vector machine | boosted trees |" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| `digits` |")]
    assert line.endswith("| 10.00 ± 1.00 % majority class | 97.00 ± 1.00 % * | 95.00 ± 1.00 % |")


def test_a_trivial_answer_may_stand_alone(place):
    finished(place / "outputs", experiment="cnn_digits")
    classical(place, 0.97, experiment="cnn_digits")
    record = place / "docs" / "baselines.json"
    row = json.loads(record.read_text())["cnn_digits"]
    del row["name"], row["metrics"]
    record.write_text(json.dumps({"cnn_digits": row}))
    write(place)
    for page in ("README.md", "docs/results.md"):
        assert "(1 seed) | 10.00 ± 1.00 % majority class | – |" in (place / page).read_text()


def test_a_recipe_that_is_expected_to_be_bad_does_not_win(place):
    finished(place / "outputs", experiment="neuron_rain", accuracy=0.8)
    classical(place, 0.99, experiment="neuron_rain")
    write(place)
    page = (place / "docs" / "results.md").read_text()
    assert "| accuracy 80.00 % (1 seed) |" in page and "| **99.00 ± 1.00 % support" in page


def test_check_finds_classical_models_of_other_data(place, capsys):
    finished(place / "outputs")
    classical(place, 0.97, **{"data.name": "digits"})
    write(place)
    assert results.main(["check=true"], root=place) == 0
    classical(place, 0.97, **{"data.name": "mnist"})
    assert results.main(["check=true"], root=place) == 1
    assert "mlp_digits has another data.name today" in capsys.readouterr().err


def test_a_run_brings_its_trivial_answer(place):
    path = finished(place / "outputs")
    result = json.loads((path / "result.json").read_text())
    result["baseline"] = {"name": "majority class", "val": {}, "test": {"accuracy": 0.2}}
    (path / "result.json").write_text(json.dumps(result))
    write(place)
    assert "| 20.00 % majority class |" in (place / "docs" / "results.md").read_text()


def test_a_readme_without_marks_is_refused(place):
    (place / "README.md").write_text("nothing")
    with pytest.raises(UserError, match="lacks the lines"):
        results.main([f"runs={place}"], root=place)


@pytest.mark.parametrize("name", configs.experiments())
def test_every_experiment_says_what_it_shows(name):
    assert len(results_page.about(name)) > 10


def test_the_published_table_is_up_to_date(capsys):
    code = results.main(["check=true"])
    assert code == 0, capsys.readouterr().err
