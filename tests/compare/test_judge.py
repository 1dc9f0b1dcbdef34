"""What the judge says of tables, and how often it is wrong of equal arms."""

import numpy
import pytest
from support import write_run

from zoo.compare.judge import judge
from zoo.compare.wording import sentences
from zoo.runs.rank import Group, Table, rank
from zoo.runs.records import Record, read_runs


def table_of(arms, larger=True):
    """A table of arms, each a list of figures by seed, best first."""
    metric, groups = "val/accuracy", []
    for k, figures in enumerate(arms):
        runs = [
            Record(f"{k}-{seed}", {"seed": seed, "k": k}, (), result(float(value)))
            for seed, value in enumerate(figures)
        ]
        groups.append(Group(runs, metric))
    groups.sort(key=lambda group: -group.score.mean if larger else group.score.mean)
    return Table("toy", "rain", metric, larger, ("seed",), groups, ["k"])


def result(value):
    return {"experiment": "toy", "monitor": "accuracy", "best": {"step": 1, "accuracy": value}}


def test_the_first_is_better_than_the_others_if_it_differs_from_each():
    verdict = judge(table_of([[0.90, 0.92, 0.91], [0.70, 0.73, 0.71], [0.60, 0.61, 0.61]]))
    assert verdict.winner and verdict.places("different") == [2, 3]


def test_other_lines_are_corrected_for_all_pairs():
    arms = [[0.90, 0.92, 0.91, 0.93], [0.91, 0.91, 0.92, 0.91], [0.80, 0.83, 0.815, 0.822]]
    verdict = judge(table_of(arms))
    second, third = verdict.comparisons
    assert not verdict.winner and second.decision == "undecided"
    assert third.p == pytest.approx(3 * third.difference.p) and third.decision == "different"
    assert second.p == min(1.0, 2 * second.difference.p)


def test_a_line_that_leads_by_seeds_of_its_own_is_not_better():
    """On the three seeds that both have, the second is better."""
    verdict = judge(table_of([[0.90, 0.901, 0.899, 0.99, 0.991, 0.989], [0.92, 0.921, 0.9192]]))
    (second,) = verdict.comparisons
    assert second.difference.size < 0 and second.difference.p < 0.001
    assert second.decision == "undecided" and not verdict.winner
    assert sentences(verdict)[0].startswith("2 is better than 1 on the seeds that both have: -0.02")


def test_one_seed_decides_nothing():
    verdict = judge(table_of([[0.99], [0.1], [0.2, 0.21]]))
    assert set(verdict.places("one seed")) == {2, 3} and not verdict.winner


def test_no_difference_is_said_only_within_the_margin():
    close = [[0.9001, 0.9100, 0.9202], [0.9000, 0.9101, 0.9200]]
    assert judge(table_of(close)).margin == 0.005
    assert judge(table_of(close)).comparisons[0].decision == "equal"
    assert judge(table_of(close), margin=1e-6).comparisons[0].decision == "undecided"


def test_runs_that_are_not_finite_are_no_arm(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path / f"a{seed}", 0.5, seed=seed)
        write_run(tmp_path / f"b{seed}", {"accuracy": None}, seed=seed, optim__lr=9.0)
    (table,), _ = rank(read_runs([tmp_path])[0])
    assert judge(table).comparisons == []


@pytest.mark.parametrize(("lines", "seeds"), [(2, 2), (2, 5), (4, 3), (10, 3)])
def test_equal_arms_are_called_different_in_at_most_5_percent(lines, seeds):
    """300 tables of each kind; at 5% the count would exceed 25 in one test of 400."""
    rng = numpy.random.default_rng(lines * 100 + seeds)
    wrong = 0
    for _ in range(300):
        figures = rng.standard_normal((lines, seeds)) + 2 * rng.standard_normal(seeds)
        wrong += bool(judge(table_of(figures)).places("different"))
    assert wrong <= 25
