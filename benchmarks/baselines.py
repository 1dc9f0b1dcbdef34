"""Classical models on the same splits as the recipes: what a network has to beat.

    python scripts/baselines.py [experiments=mlp_digits,...] [seeds=0,1,2] [root=data] [write=false]

experiments=  recipes (default: all that have published results)
seeds=        of the splits (default: those of the published results)
root=         where downloads lie
write=true    keep the outcome in docs/baselines.json, which the table of results reads

A network that does no better than these is not worth training.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.classical import Outcome, classical
from zoo.commands.arguments import options
from zoo.commands.results import ROOT, settings, spread
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError, unknown_name
from zoo.files import write_text

Row = dict[str, Any]


def measure(experiment: str, seeds: list[int], root: str) -> Row | None:
    """The classical model's metrics over the splits of some seeds; None where none is usual."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcome = classical(compose.load([f"experiment={experiment}", f"seed={seed}"]), root)
        if outcome is None:
            return None
        outcomes.append(outcome)
    names = [outcome.name for outcome in outcomes]
    data = {k: v for k, v in settings(experiment).items() if k.startswith("data.")}
    metrics = outcomes[0].metrics
    trivial = [outcome.trivial[1] for outcome in outcomes]
    return {
        "name": max(names, key=names.count),  # of the seeds, most
        "seeds": seeds,
        "metrics": {m: spread([o.metrics[m] for o in outcomes]) for m in metrics},
        "trivial": {
            "name": outcomes[0].trivial[0],
            "metrics": {m: spread([each[m] for each in trivial]) for m in metrics},
        },
        "settings": data,
    }


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Fit, print a table, and keep it where `write=true`."""
    values, rest = options(
        argv, __doc__ or "", experiments="", seeds="", root="data", write="false"
    )
    if rest or values["write"] not in ("true", "false"):
        raise UserError(f"got {' '.join(rest) or 'write=' + values['write']}: see --help")
    published = json.loads((ROOT / "docs" / "results.json").read_text(encoding="utf-8"))
    experiments = [n for n in values["experiments"].split(",") if n] or list(published)
    for name in experiments:
        if name not in configs.experiments():
            raise UserError(unknown_name("experiment", name, configs.experiments()))
    given = [seed.strip() for seed in values["seeds"].split(",") if seed]
    if not all(seed.isdigit() for seed in given):
        raise UserError(f"got seeds={values['seeds']}, expected numbers such as seeds=0,1,2")
    record = root / "docs" / "baselines.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    print(f"{'data of':24s} {'classical model':28s} {'metric':18s} {'mean':>8s} {'deviation':>10s}")
    for name in experiments:
        seeds = [int(seed) for seed in given] or published.get(name, {}).get("seeds", [0])
        row = measure(name, seeds, values["root"])
        if row is None:
            continue
        known[name] = row
        if values["write"] == "true":  # at once: all of them take an hour
            kept = {name: known[name] for name in configs.experiments() if name in known}
            write_text(record, json.dumps(kept, indent=1) + "\n")
        for metric, figure in row["metrics"].items():
            print(
                f"{name:24s} {row['name']:28s} {metric:18s} "
                f"{figure['mean']:8.4f} {figure['std']:10.4f}",
                flush=True,
            )
    return 0
