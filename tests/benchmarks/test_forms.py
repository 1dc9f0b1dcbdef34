"""The forms of language models: their costs by hand, and the documented tables."""

import json
from pathlib import Path

import pytest

from benchmarks import forms
from benchmarks.forms_cost import build, cache_bytes, parameters, speed, training_flops
from benchmarks.forms_table import difference, tables
from zoo.runs.records import Record

UNITS = {name: budget.unit for name, budget in forms.BUDGETS.items()}


@pytest.mark.parametrize("budget", forms.BUDGETS)
def test_all_compute_as_much_for_a_token(budget):
    context = forms.BUDGETS[budget].context
    flops = [training_flops(build(budget, form, context), context) for form in forms.LABELS]
    assert max(flops) <= 1.03 * min(flops)


def small(form, context=64):
    return build("shakespeare", form, context)


def test_operations_by_hand():
    """Of the LSTM four gates of two products of each layer, and the head; of Mamba its recurrence
    too: 7 operations for each number of state."""
    width = 230
    assert training_flops(small("lstm"), 64) == 3 * 2 * (2 * 8 * width**2 + 65 * width)
    width, channels, rank, state = 126, 252, 8, 16
    products = width * 2 * channels + channels * (rank + 2 * state) + rank * channels
    products = 2 * 7 * (products + channels * width) + 2 * 65 * width
    assert training_flops(small("mamba"), 64) == 3 * (products + 7 * 7 * channels * state)


def test_parameters_without_the_experts_that_a_token_does_not_take():
    total, active = parameters(small("mixture"))
    assert total - active == 4 * 6 * 3 * 112 * 128
    assert len(set(parameters(small("llama")))) == 1


@pytest.mark.parametrize(
    ("name", "token", "fixed"),
    [
        ("gpt2", 4 * 2 * 128 * 4, 0),
        ("latent", 4 * (32 + 16) * 4, 0),
        ("mamba", 0, 7 * 252 * (16 + 3) * 4),
        ("lstm", 0, 2 * 2 * 230 * 4),
    ],
)
def test_bytes_of_the_cache_by_hand(name, token, fixed):
    assert cache_bytes(small(name, 128), 64) == {"token": token, "fixed": fixed}


def test_speed_is_measured():
    assert speed(small("lstm"), 5) > 0


def fake(rate, seed, loss, status="done"):
    result = {
        "status": status,
        "best": {"step": 1, "bits_per_byte": loss, "least_expert": loss / 2},
    }
    return Record(Path("x"), {"optim.lr": rate, "seed": seed}, (), result)


def test_the_best_rate_of_the_first_seed_counts(monkeypatch):
    runs = [fake(0.02, seed, 1.5 + seed) for seed in forms.SEEDS]
    runs += [fake(0.01, seed, 1.0 + seed) for seed in forms.SEEDS]
    runs += [fake(0.04, 1, 9.0), fake(0.04, 2, 0.1)]
    written = {}
    monkeypatch.setattr(forms, "_runs", lambda folder, name: runs * (folder.name == "stdlib"))
    monkeypatch.setattr(forms, "read", dict)
    monkeypatch.setattr(forms, "renew", written.update)
    forms.write_figures(Path("x"))
    row = written["stdlib"]["llama"]
    assert not written["shakespeare"]["llama"]
    assert row["rate"] == 0.01 and row["loss"] == {"1": 2.0, "2": 3.0, "3": 4.0}
    assert row["tried"] == {"0.01": 2.0, "0.02": 2.5, "0.04": 9.0}
    assert row["least_expert"] == {"1": 1.0, "2": 1.5, "3": 2.0}


def test_a_further_seed_joins_those_at_the_same_rate_alone(monkeypatch):
    before = {"tried": {"0.01": 2.0, "0.02": 2.5}, "rate": 0.01, "loss": {"1": 2.0, "2": 3.0}}
    before["least_expert"] = {"1": 0.4}
    runs, written = [fake(0.01, 3, 4.0), fake(0.02, 2, 0.1)], {}
    monkeypatch.setattr(forms, "_runs", lambda folder, name: runs if name == "llama" else [])
    monkeypatch.setattr(
        forms, "read", lambda: {"stdlib": {"llama": json.loads(json.dumps(before))}}
    )
    monkeypatch.setattr(forms, "renew", written.update)
    forms.write_figures(Path("x"))
    assert written["stdlib"]["llama"] == before | {
        "loss": {"1": 2.0, "2": 3.0, "3": 4.0}, "least_expert": {"1": 0.4, "3": 2.0},
    }  # fmt: skip
    runs[:] = [fake(0.02, 1, 1.0)]  # a better rate begins again
    forms.write_figures(Path("x"))
    row = written["stdlib"]["llama"]
    assert row["rate"] == 0.02 and row["loss"] == {"1": 1.0}


def test_a_difference_is_of_the_same_seeds():
    base = {"1": 1.0, "2": 2.0, "3": 3.0}
    assert difference({"1": 2.0, "2": 3.0, "3": 4.5}, base) == "+1.167 ± 0.167 (3)"
    assert difference({"2": 1.5}, base) == "-0.500 (1)" and difference({"4": 1.0}, base) == "–"


def test_means_are_over_the_seeds_that_all_forms_have():
    content = {text: {name: dict(row) for name, row in rows.items()} for text, rows in
               forms.read().items()}  # fmt: skip
    for k, row in enumerate(content["stdlib"].values()):
        row["loss"] = {"1": 1.0 + k, "2": 7.0} if k < 3 else {"1": 1.0 + k}
    page = tables(content, forms.LABELS, UNITS)
    assert "| 1.000 (1) | -0.500 ± 0.500 (2) |" in page and "| 2.000 (1) | – |" in page
    assert "| 4.000 (1) | +2.000 (1) |" in page


def test_the_documented_tables_are_those_of_the_figures():
    assert tables(forms.read(), forms.LABELS, UNITS) in forms.PAGE.read_text(encoding="utf-8")
