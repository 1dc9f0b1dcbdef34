"""How often the judge of zoo/compare is wrong of equal arms, and what it finds: on real runs.

Arms are made of real runs, drawn without replacement. Of equal arms every difference that is found
is false. Where two arms should differ, every figure of the better is two standard deviations above.

- other seeds: arms share nothing, so that Welch's test compares them.
- same split: runs of one setting, ten seeds on each of twenty splits of the data; a pair shares the
  split alone. (Shakespeare has one split, which all share.)
- same seed: two settings, forty seeds each, less the difference of their means. For each seed a
  coin says which of the two is the first arm.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy

from zoo.compare.difference import Scale, paired
from zoo.compare.judge import judge as judged
from zoo.compare.sequential import FIRST, bound
from zoo.runs.rank import Group, Table
from zoo.runs.records import Record, read_runs

ROWS = {"gpt_shakespeare": 13}  # of ten seeds; 20 for the others
FILE = Path(__file__).parent / "results" / "judge.json"
SEEDS = (2, 3, 5, 10)
LAST = FIRST + 10  # pairs: a budget of 20 runs after the first three pairs
RECIPES = {  # shortened; the two settings that are compared with the same seeds
    "mlp_digits": (
        ["trainer.max_epochs=15", "trainer.eval_epochs=5"], ("model.dropout", "0.3", "0.2"),
    ),
    "cnn_digits": (
        ["trainer.max_epochs=3", "trainer.eval_epochs=1"], ("task.label_smoothing", "0.1", "0.05"),
    ),
    "gpt_shakespeare": (
        ["model.width=64", "model.depth=2", "model.heads=2", "trainer.max_steps=60",
         "trainer.eval_steps=60", "trainer.precision=fp32"],
        ("optim.lr", "0.02", "0.018"),
    ),
}  # fmt: skip
Arms = list[dict[str, float]]


@dataclass(frozen=True)
class Pool:
    """The runs of a recipe.

    Attributes:
        larger: Whether more is better.
        same_split: (splits, runs) of one setting.
        same_seed: (settings, seeds).
    """

    larger: bool
    same_split: numpy.ndarray
    same_seed: numpy.ndarray

    @classmethod
    def read(cls, name: str) -> "Pool":
        """Of a recipe, from the file."""
        content = json.loads(FILE.read_text(encoding="utf-8"))[name]
        arrays = (numpy.array(content[key]) for key in ("same split", "same seed"))
        return cls(content["larger"], *arrays)

    def draw(self, kind: str, arms: int, seeds: int, rng: numpy.random.Generator) -> Arms:
        """Equal arms."""
        if kind == "other seeds":
            drawn = rng.permutation(self.same_split.ravel())[: arms * seeds].reshape(arms, seeds)
            return [
                {f"{a},{s}": float(v) for s, v in enumerate(row)} for a, row in enumerate(drawn)
            ]
        if kind == "same split":
            splits = rng.permutation(len(self.same_split))[:seeds]
            drawn = numpy.stack([rng.permutation(self.same_split[k])[:arms] for k in splits], 1)
        else:
            pairs = self.same_seed - self.same_seed.mean(1, keepdims=True)
            chosen = pairs[:, rng.permutation(pairs.shape[1])[:seeds]]
            drawn = numpy.where(rng.random(seeds) < 0.5, chosen, chosen[::-1])
            drawn = drawn + self.same_seed.mean()
        return [dict(zip(map(str, range(seeds)), map(float, row))) for row in drawn]


def judge(repeats: int) -> None:
    """Print the rates for all recipes."""
    print(
        "false differences, % of equal arms (in brackets: of the first 200; by two standard errors)"
    )
    for name in RECIPES:
        pool = Pool.read(name)
        for kind, arms, rates in false_rates(pool, repeats):
            print(f"{name:16} {kind:12} {arms:2} arms  {rates}")
    print("\nfound, % of arms that differ by two standard deviations, 5 seeds each")
    for name in RECIPES:
        pool = Pool.read(name)
        for kind in ("other seeds", "same split", "same seed"):
            print(f"{name:16} {kind:12} {100 * power(pool, kind, repeats):5.1f}")
    print(
        f"\n--decide, from {FIRST} to {LAST} seeds: % false of equal arms, of the best two of ten;"
    )
    print("% found at two deviations, and after how many seeds")
    for name in RECIPES:
        pool = Pool.read(name)
        equal, chosen = (decided(pool, repeats, arms)[0] for arms in (2, 10))
        found, seeds = decided(pool, repeats, 2, deviations=2.0)
        print(f"{name:16} {100 * equal:5.1f} {100 * chosen:5.1f} {100 * found:6.1f} {seeds:5.1f}")


def false_rates(pool: Pool, repeats: int) -> Iterator[tuple[str, int, str]]:
    """Kind, number of arms, and the rates by number of seeds, as text."""
    for kind, arms in (
        ("other seeds", 2), ("same split", 2), ("same seed", 2),
        ("other seeds", 10), ("same split", 10),
    ):  # fmt: skip
        texts = []
        for seeds in SEEDS:
            wrong, naive = false_claims(pool, kind, arms, seeds, repeats)
            first = 100 * wrong[:200].mean()
            rate, old = 100 * wrong.mean(), 100 * naive.mean()
            texts.append(f"{seeds}: {rate:.1f} ({first:.1f}; {old:.0f})")
        yield kind, arms, "  ".join(texts)


def false_claims(
    pool: Pool, kind: str, arms: int, seeds: int, repeats: int
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Whether each of the repeats finds a difference; and whether two standard errors would."""
    rng = numpy.random.default_rng((arms, seeds))
    drawn = [pool.draw(kind, arms, seeds, rng) for _ in range(repeats)]
    wrong = [bool(judged(table(one, pool.larger)).places("different")) for one in drawn]
    return numpy.array(wrong), numpy.array([_two_errors(one) for one in drawn])


def _two_errors(arms: Arms) -> bool:
    """The rule before: means more than two standard errors of their difference apart."""
    figures = numpy.array([list(arm.values()) for arm in arms])
    mean, variance = figures.mean(1), figures.var(1, ddof=1) / figures.shape[1]
    best = mean.argmax()
    return bool((abs(mean - mean[best]) > 2 * numpy.sqrt(variance + variance[best])).any())


def power(pool: Pool, kind: str, repeats: int, seeds: int = 5, deviations: float = 2.0) -> float:
    """How often a difference of some deviations between seeds is found."""
    rng = numpy.random.default_rng(seeds)
    found = 0
    for _ in range(repeats):
        first, second = pool.draw(kind, 2, seeds, rng)
        better = {seed: value + _shift(pool, kind, deviations) for seed, value in first.items()}
        found += judged(table([better, second], pool.larger)).winner
    return found / repeats


def _shift(pool: Pool, kind: str, deviations: float) -> float:
    figures = pool.same_seed[0] if kind == "same seed" else pool.same_split.ravel()
    return deviations * float(figures.std(ddof=1)) * (1 if pool.larger else -1)


def decided(pool: Pool, repeats: int, arms: int, deviations: float = 0.0) -> tuple[float, float]:
    """How often `--decide` finds a difference of the best two arms, and the mean number of seeds.

    The arms have FIRST seeds when two of them are chosen, and get more up to LAST.
    """
    rng = numpy.random.default_rng(arms)
    sign, claims, needed = 1 if pool.larger else -1, 0, []
    for _ in range(repeats):
        drawn = pool.draw("same split", arms, LAST, rng)
        figures = sign * numpy.array([list(arm.values()) for arm in drawn])
        figures[0] += abs(_shift(pool, "same split", deviations))
        order = figures[:, :FIRST].mean(1).argsort()[::-1]
        first, second = figures[order[0]], figures[order[1]]
        scale = Scale.of([float(v) for v in figures.ravel()], True)
        looks = (paired(list(first[:n] - second[:n]), scale) for n in range(FIRST, LAST + 1))
        crossed = [one.known and abs(one.size) >= bound(one.runs[0]) * one.error for one in looks]
        claims += any(crossed)
        needed.append(FIRST + crossed.index(True) if any(crossed) else LAST)
    return claims / repeats, float(numpy.mean(needed))


def table(arms: Arms, larger: bool) -> Table:
    """A table of arms, best first."""
    metric, groups = "val/figure", []
    for k, arm in enumerate(arms):
        runs = [_record(k, seed, value) for seed, value in arm.items()]
        groups.append(Group(runs, metric))
    groups.sort(key=lambda group: group.score.mean, reverse=larger)
    return Table(None, "runs", metric, larger, ("seed",), groups, ["arm"])


def _record(arm: int, seed: str, value: float) -> Record:
    result = {"experiment": None, "best": {"step": 1, "figure": value}}
    return Record(Path(f"{arm}/{seed}"), {"seed": seed, "arm": arm}, (), result)


def judge_runs(overrides: list[str]) -> None:
    """Train the runs that `judge` draws from, and write their figures; half an hour on one core."""
    folder = Path("outputs") / "judge"
    for name, (short, (key, *values)) in RECIPES.items():
        base = [f"experiment={name}", *short, *overrides, "sweep.slots=1"]
        for split in range(1, 1 + ROWS.get(name, 20)):
            set_split = [] if name == "gpt_shakespeare" else [f"data.split_seed={split}"]
            seeds = f"seed=range({100 * split},{100 * split + 10})"
            _train([*base, *set_split, seeds], folder / "split")
        _train([*base, f"{key}={','.join(values)}", "seed=range(1,41)"], folder / "seed")
    write_figures(folder)


def _train(overrides: list[str], folder: Path) -> None:
    command = [sys.executable, "train.py", "-m", *overrides, f"output_dir={folder}"]
    subprocess.run(command, check=True)


def write_figures(folder: Path) -> None:
    """Write the figures of finished runs."""
    content = {}
    for name, (_, (key, *_values)) in RECIPES.items():
        runs = {kind: read_runs([folder / kind / name])[0] for kind in ("split", "seed")}
        metric = "val/" + runs["seed"][0].monitor.lstrip("-")
        content[name] = {
            "larger": not runs["seed"][0].monitor.startswith("-"),
            "same split": _rows(runs["split"], metric, lambda run: run.settings["seed"] // 100),
            "same seed": _rows(runs["seed"], metric, partial(_setting, key)),
        }
    FILE.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _setting(key: str, run: Record) -> float:
    return -float(run.settings[key])  # the larger first, as in RECIPES


def _rows(runs: list[Record], metric: str, row_of: Callable[[Record], float]) -> list[list[float]]:
    """Figures by row, sorted by seed in each."""
    rows: dict[float, list[float]] = {}
    for run in sorted(runs, key=lambda run: (row_of(run), run.settings["seed"])):
        rows.setdefault(row_of(run), []).append(run.metrics[metric])
    return list(rows.values())
