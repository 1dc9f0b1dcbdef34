"""What a network has to beat: the trivial answer and classical models, on the same splits.

    python scripts/baselines.py [experiments=mlp_digits,...] [seeds=0,1,2] [root=data] [write=false]
    python scripts/baselines.py model=mlp data=csv data.path=houses.csv data.target=price

experiments=  recipes (default: all that have published results)
seeds=        of the splits (default: those of the published results)
root=         where downloads lie
write=true    keep the outcome in docs/baselines.json, which the tables of results read

Other words are those of train.py, in place of recipes: your own data, say. Of several classical
models, `*` marks the one that held-out data chooses; the choice does not look at the test split. A
network that does no better than these is not worth training.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.classical import classical
from benchmarks.trivial import prepared, trivial_answer
from zoo.commands.arguments import options
from zoo.commands.results import ROOT, settings, spread
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError, unknown_name
from zoo.files import write_text

Row = dict[str, Any]


def measure(words: list[str], seeds: list[int], root: str, fitted: dict[str, Any]) -> Row:
    """The trivial answer and the classical models over the splits of some seeds.

    Args:
        words: Of train.py's command line, without the seed.
        seeds: Of the splits.
        root: Where downloads lie.
        fitted: Classical models by their data, which recipes share; added to.
    """
    trivials, outcomes = [], []
    for seed in seeds:
        seeded = [*words, f"seed={seed}"]
        config, dataset = prepared(seeded, root)
        trivials.append(trivial_answer(config, dataset))
        shared = {k: v for k, v in config.data.items() if k not in ("batch_size", "augment")}
        key = json.dumps([config.task, shared])
        if key not in fitted:
            if config.init.from_:  # n-grams have no use for its tokenizer
                config, dataset = prepared(seeded, root, adopt=False)
            fitted[key] = classical(dataset, config)
        outcomes.append(fitted[key])
    row: Row = {"seeds": seeds}
    if trivials[0] is not None:
        row["trivial"] = {"name": trivials[0].name, "metrics": over_seeds(trivials)}
    if outcomes[0] is not None:
        names = [outcome.name for outcome in outcomes]
        row |= {"name": max(names, key=names.count), "metrics": over_seeds(outcomes)}  # the usual
        kinds = {kind: [o.models[kind] for o in outcomes] for kind in outcomes[0].models}
        row["models"] = {kind: spreads(metrics) for kind, metrics in kinds.items()}
    return row


def over_seeds(answers: list[Any]) -> Row:
    """The metrics of several splits."""
    return spreads([answer.metrics for answer in answers])


def spreads(metrics: list[dict[str, float]]) -> Row:
    """Mean, deviation and values of each metric."""
    return {name: spread([each[name] for each in metrics]) for name in metrics[0]}


def print_row(name: str, row: Row, promised: Mapping[str, Any]) -> None:
    """A line for each answer and metric, of the metrics that are promised, where some are."""
    models = row.get("models") or ({row["name"]: row["metrics"]} if "name" in row else {})
    answers = {t["name"]: t["metrics"] for t in [row.get("trivial")] if t} | models
    for answer, metrics in answers.items():
        mark = " *" if len(models) > 1 and answer == row["name"] else ""
        shown = [metric for metric in promised if metric in metrics] or list(metrics)
        for metric in shown:
            mean, std = metrics[metric]["mean"], metrics[metric]["std"]
            print(
                f"{name:22s} {answer + mark:28s} {metric:18s} {mean:8.4f} {std:10.4f}", flush=True
            )
    if not models:
        print(f"{name:22s} no classical model is usual")


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Fit, print a table, and keep it where `write=true`."""
    values, own = options(argv, __doc__ or "", experiments="", seeds="", root="data", write="false")
    if values["write"] not in ("true", "false"):
        raise UserError(f"got write={values['write']}: expected true or false")
    if own and (values["experiments"] or values["write"] == "true"):
        raise UserError(
            f"{' '.join(own)}: give experiments= (and write=true), or the words of train.py"
        )
    given = [seed.strip() for seed in values["seeds"].split(",") if seed]
    if not all(seed.isdigit() for seed in given):
        raise UserError(f"got seeds={values['seeds']}, expected numbers such as seeds=0,1,2")
    seeds = list(map(int, given))
    print(f"{'data of':22s} {'answer':28s} {'metric':18s} {'mean':>8s} {'deviation':>10s}")
    if own:
        config = compose.load(own)
        row = measure(own, seeds or [config.seed], values["root"], {})
        print_row(config.data["name"], row, {})
        return 0
    measure_recipes(values, seeds, root)
    return 0


def measure_recipes(values: dict[str, str], seeds: list[int], root: Path) -> None:
    """Fit the baselines of recipes, print them, and keep them where `write=true`.

    Args:
        values: Options of the command.
        seeds: Of the splits; empty for those of the published results.
        root: The repository, with `docs/baselines.json`.
    """
    published = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    experiments = [n for n in values["experiments"].split(",") if n] or list(published)
    for name in experiments:
        if name not in configs.experiments():
            raise UserError(unknown_name("experiment", name, configs.experiments()))
    record = root / "docs" / "baselines.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    fitted: dict[str, Any] = {}
    for name in experiments:
        of_splits = seeds or published.get(name, {}).get("seeds", [0])
        row = measure([f"experiment={name}"], of_splits, values["root"], fitted)
        data = {k: v for k, v in settings(name).items() if k.startswith("data.")}
        known[name] = row | {"settings": data}
        if values["write"] == "true":  # at once: all of them take an hour
            kept = {name: known[name] for name in configs.experiments() if name in known}
            write_text(record, json.dumps(kept, indent=1) + "\n")
        print_row(name, row, compose.load([f"experiment={name}"]).expect)
