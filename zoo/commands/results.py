"""python scripts/results.py [runs=outputs] [check=false]

Collects the finished runs of the published experiments into docs/results.json, mean and standard
deviation over seeds, and writes the tables of docs/results.md and README.md from it and from
docs/baselines.json, the classical models on the same splits (scripts/baselines.py write=true). A
run counts if its settings are those that its experiment has today, whatever the seed and the
folders; the newest run of a seed counts. Experiments without such a run keep the results that they
have.

runs=a,b     folders to look for runs in
check=true   change nothing; fail where the table or the results are out of date
"""

import functools
import json
import statistics
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from zoo.commands.arguments import options
from zoo.commands.results_page import full_table, pages
from zoo.config import compose
from zoo.config import groups as configs
from zoo.errors import UserError
from zoo.files import user_path, write_text
from zoo.runs.directory import RunDirectory, find_runs
from zoo.runs.result import FILE, ended_at, read_result
from zoo.runs.settings import flat

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("init.from", "teacher.from")  # runs of other experiments
MADE = (*SOURCES, "data.path")  # by another command, wherever it wrote
FROM_SOURCE = ("model.", "data.tokenizer", "data.vocab_size")  # these come with init.from
Row = dict[str, Any]


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Renew docs/results.json and the tables of the pages below `root`, or check them.

    Raises:
        UserError: Unknown options, a missing folder, a page without its table's marks.
    """
    values, overrides = options(argv, __doc__ or "", runs="outputs", check="false")
    if overrides or values["check"] not in ("true", "false"):
        raise UserError("scripts/results.py takes runs=<folders> and check=true or false")
    record = root / "docs" / "results.json"
    known, baselines = (read(root / "docs" / f"{name}.json") for name in ("results", "baselines"))
    if values["check"] == "true":
        problems = [
            *stale(known), *stale_baselines(baselines), *mismatch(root, known, baselines)
        ]  # fmt: skip
        for problem in problems:
            print(problem, file=sys.stderr)
        return 1 if problems else 0
    folders = [user_path(folder) for folder in values["runs"].split(",")]
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise UserError(f"runs={values['runs']}: there is no folder {missing[0]}")
    known |= collect(folders)
    known = {name: known[name] for name in configs.experiments() if name in known}
    renewed = list(pages(root, known, baselines))
    write_text(record, json.dumps(known, indent=1) + "\n")
    for page, text in renewed:
        write_text(page, text)
    print(full_table(known, baselines))
    return 0


def read(record: Path) -> dict[str, Row]:
    """A record of results by experiment; empty if there is no file."""
    return json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}


def collect(folders: Iterable[Path]) -> dict[str, Row]:
    """A row for each published experiment that has finished runs at or below the folders."""
    published = configs.experiments()
    groups: dict[str, dict[int, tuple[float, Row]]] = {}
    paths = [path for folder in folders for path in find_runs(folder)]
    runs = [RunDirectory(path) for path in paths if (path / FILE).is_file()]
    results = [(ended_at(run, result := read_result(run)), run.path, result) for run in runs]
    for ended, path, result in sorted(results, key=lambda found: found[:2]):
        name = result.get("experiment")
        if result["status"] != "done" or name not in published:
            continue
        published_settings = settings(name, result["seed"])
        config = configs.read_yaml(path / "config.yaml")
        if changed := list(differences(config, published_settings)):
            print(f"not counted: {path}: {'; '.join(changed)}")
            continue
        groups.setdefault(name, {})[result["seed"]] = (ended, result)
    return {name: summarize(name, by_seed) for name, by_seed in groups.items()}


@functools.cache
def settings(experiment: str, seed: int = 0) -> Row:
    """The settings that decide a published experiment's outcome, by dotted name."""
    return flat(compose.load([f"experiment={experiment}", f"seed={seed}"]).to_dict())


def differences(config: Row, published: Row) -> Iterator[str]:
    """Where a config is not the published one; a setting that it lacks was added since.

    Weights to start from, a run of an experiment, bring their model and tokenizer with them. A run
    that lacks them, or its teacher, is not the published one.
    """
    values = flat(config)
    for source in SOURCES:
        if published.get(source) and not values.get(source):
            yield f"{source} {values.get(source)}, published {published[source]}"
    for name, value in values.items():
        if published.get("init.from") and name.startswith(FROM_SOURCE):
            continue
        begun = published.get(name) if name in MADE else None
        if begun and Path(begun).name in Path(str(value)).parts:
            continue
        if name == "trainer.precision" and published.get(name) == "auto":
            continue  # a run has the precision that was chosen
        if name not in published or published[name] != value:
            yield f"{name} {value}, published {published.get(name)}"


def summarize(experiment: str, by_seed: dict[int, tuple[float, Row]]) -> Row:
    """One experiment's metrics over its seeds, those that it promises among them."""
    promised = compose.load([f"experiment={experiment}"]).expect
    results = [by_seed[seed][1] for seed in sorted(by_seed)]
    newest = max(by_seed.values(), key=lambda pair: pair[0])[1]
    tested = [[name for name, value in r["test"].items() if value is not None] for r in results]
    names = [name for name in newest["test"] if all(name in row for row in tested)]
    validated = [n.removeprefix("val/") for n in promised if n.startswith("val/")]
    environment = newest["environment"]
    row = {
        "model": newest["model"],
        "data": newest["data"]["name"],
        "parameters": newest["parameters"],
        "runs": len(results),
        "seeds": sorted(by_seed),
        "metrics": {f"test/{n}": spread([r["test"][n] for r in results]) for n in names}
        | {f"val/{n}": spread([r["val"][n] for r in results]) for n in validated},
        "seconds": spread([r["seconds"] for r in results]),
        "expect": promised,
        "device": f"{environment['device']}, {environment['threads']} threads",
        "precision": ", ".join(sorted({r["precision"] for r in results})),
        "torch": environment["torch"],
        "commit": newest["commit"],
        "settings": settings(experiment),
    }
    return row | trivial_answer(results)


def trivial_answer(results: list[Row]) -> Row:
    """The `baseline` of runs: its name and metrics over seeds; nothing where a run has none."""
    baselines = [result.get("baseline") for result in results]
    if not all(baselines):
        return {}
    flat_ones = [
        {f"{split}/{n}": v for split in ("val", "test") for n, v in (b.get(split) or {}).items()}
        for b in baselines
        if b
    ]
    common = [name for name in flat_ones[0] if all(name in each for each in flat_ones)]
    metrics = {name: spread([each[name] for each in flat_ones]) for name in common}
    return {"baseline": {"name": results[0]["baseline"]["name"], "metrics": metrics}}


def spread(values: list[float]) -> Row:
    """Mean and sample standard deviation (0 for a single value)."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "std": deviation, "values": values}


def stale(known: dict[str, Row]) -> Iterator[str]:
    """Results measured with other settings than their experiment has today."""
    for name, row in known.items():
        if name not in configs.experiments():
            yield f"docs/results.json: there is no experiment={name} any more"
        elif changed := list(differences(row["settings"], settings(name))):
            yield (
                f"experiment={name} changed since its result was measured ({'; '.join(changed)}): "
                f"train it again and run scripts/results.py"
            )


def mismatch(root: Path, known: dict[str, Row], baselines: dict[str, Row]) -> Iterator[str]:
    """Pages whose table differs from the records."""
    for page, text in pages(root, known, baselines):
        if page.read_text(encoding="utf-8") != text:
            yield f"{page.name}: the table is not that of the records; run scripts/results.py"


def stale_baselines(baselines: dict[str, Row]) -> Iterator[str]:
    """Classical models that were fitted to other data than their experiment has today."""
    for name, row in baselines.items():
        today = settings(name) if name in configs.experiments() else {}
        if changed := [k for k, value in row["settings"].items() if today.get(k) != value]:
            yield (
                f"docs/baselines.json: experiment={name} has another {', '.join(changed)} today: "
                f"run scripts/baselines.py experiments={name} write=true"
            )
