"""Which trials are pruned: against a brute-force count, and Optuna's own rule."""

import json
import random
import statistics

import optuna
import pytest

from zoo.sweep.prune import Curve, prune_reason


def bests(scores):
    return [max(scores[: k + 1]) for k in range(len(scores))]


def curves(seed, number, length):
    rng = random.Random(seed)
    return [bests([rng.random() for _ in range(rng.randint(1, length))]) for _ in range(number)]


@pytest.mark.parametrize("seed", range(20))
def test_median(seed):
    own, *others = curves(seed, 9, 8)
    k = len(own)
    seen = [curve[k - 1] for curve in others if len(curve) >= k]
    expected = k >= 2 and len(seen) >= 4 and own[-1] < statistics.median(seen)
    assert bool(prune_reason("median", 2, own, others)) == expected


@pytest.mark.parametrize("seed", range(20))
def test_halving(seed):
    own, *others = curves(seed, 12, 30)
    rung = max((r for r in (2, 6, 18) if r <= len(own)), default=None)
    if rung is None:
        assert prune_reason("halving", 2, own, others) == ""
        return
    seen = sorted([curve[rung - 1] for curve in others if len(curve) >= rung], reverse=True)
    everyone = len(seen) + 1
    kept = -(-everyone // 3)
    in_front = sum(other > own[rung - 1] for other in seen)
    assert bool(prune_reason("halving", 2, own, others)) == (everyone >= 3 and in_front >= kept)


def test_the_first_trials_are_never_pruned():
    for rule in ("median", "halving"):
        for others in ([], [[1.0]]):
            assert prune_reason(rule, 1, [0.0], others) == ""


@pytest.mark.parametrize("seed", range(5))
def test_median_as_optuna_does_where_curves_only_rise(seed):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rng = random.Random(seed)
    study = optuna.create_study(
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0),
    )
    before: list[list[float]] = []
    for _ in range(12):
        trial = study.ask()
        curve = bests([rng.random() for _ in range(5)])
        for k, value in enumerate(curve, 1):
            trial.report(value, k)
            if len(before) >= 4:
                assert trial.should_prune() == bool(prune_reason("median", 1, curve[:k], before))
        study.tell(trial, curve[-1])
        before.append(curve)


def test_a_curve_is_read_as_it_grows(tmp_path):
    curve = Curve(tmp_path)
    assert not curve.update()
    (tmp_path / "dataset.json").write_text('{"monitor": "-loss"}')
    file = tmp_path / "metrics.jsonl"
    rows = [
        {"step": 1, "split": "train", "loss": 9.0}, {"step": 2, "split": "val", "loss": 3.0},
        {"step": 4, "split": "val", "loss": 4.0}, {"step": 6, "split": "val", "loss": 1.0},
    ]  # fmt: skip
    lines = [json.dumps(row) + "\n" for row in rows]
    file.write_text("".join(lines[:2]) + lines[2][:5])
    assert curve.update() and curve.bests == [-3.0] and curve.step == 2
    assert not curve.update()
    file.write_text("".join(lines))
    assert curve.update() and curve.bests == [-3.0, -3.0, -1.0]
    file.write_text("".join(lines[:2]))  # resumed from a checkpoint
    curve.update()
    assert curve.bests == [-3.0]


@pytest.mark.parametrize("monitor", ["score", "-score"])
def test_what_is_not_finite_is_behind_everything(tmp_path, monitor):
    (tmp_path / "dataset.json").write_text(json.dumps({"monitor": monitor}))
    rows = ({"step": k, "split": "val", "score": v} for k, v in enumerate((None, 2.0, None)))
    old = (
        '{"step": 9, "split": "val", "score": NaN}\n{"step": 9, "split": "val", "score": Infinity}'
    )
    text = "".join(json.dumps(row) + "\n" for row in rows) + old + "\n"
    (tmp_path / "metrics.jsonl").write_text(text)
    curve, best = Curve(tmp_path), -2.0 if monitor == "-score" else 2.0
    assert curve.update() and curve.bests == [float("-inf"), best, best, best, best]
    assert prune_reason("median", 1, curve.bests[:1], [[-5.0]] * 4)
