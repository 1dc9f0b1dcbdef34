"""The trivial answer on a recipe's data: the one that stands beside a run's result.

It is a function of the data and the task, and the task counts it in an evaluation. So a small
untrained network of the recipe's family is evaluated, whose own answers do not matter.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from zoo.config import compose
from zoo.config import groups as configs
from zoo.config.run import RunConfig


class Trivial(NamedTuple):
    """What it is, and what it reaches, as a run names it: "test/accuracy"."""

    name: str
    metrics: dict[str, float]


def trivial_answer(config: RunConfig, dataset: Any) -> Trivial | None:
    """On the test split, and on the others of which the config promises a result; None where the
    task states none."""
    from zoo.build import build_dry_run
    from zoo.registry import MODELS
    from zoo.tasks.base import HasBaseline
    from zoo.training.baseline import learn_baseline
    from zoo.training.evaluate import evaluate
    from zoo.training.precision import Precision
    from zoo.training.runtime import Runtime

    runtime = Runtime.start("cpu")
    tiny = MODELS[config.model["name"]].tests.get("tiny", {})
    model = config.model | {key: value for key, value in tiny.items() if key in config.model}
    run, _ = build_dry_run(replace(config, model=model), dataset, runtime, None, None)
    if not isinstance(run.task, HasBaseline):
        return None
    learn_baseline(run.task, run.loader, runtime)
    name = ""
    metrics: dict[str, float] = {}
    for split in sorted({"test", *(promised.partition("/")[0] for promised in config.expect)}):
        batches = run.loader.evaluation(split)
        precision = Precision("fp32", runtime.device)
        means = evaluate(run.model, run.task, batches, precision, runtime, final=split == "test")
        if (baseline := run.task.baseline(means)) is None:
            return None
        name = baseline.name
        metrics |= {f"{split}/{key}": value for key, value in baseline.metrics.items()}
    return Trivial(name, metrics)


def prepared(words: list[str], root: str, adopt: bool = True) -> tuple[RunConfig, Any]:
    """The config and the dataset that `python train.py <words>` would have.

    Args:
        words: Of the command line.
        root: Where downloads lie.
        adopt: Whether the tokenizer of the recipe that it starts from, of which the weights are
            left out, cuts the text, as it does in the run.
    """
    from zoo.start import Start, find_data

    config = compose.load(words)
    if "root" in config.data:
        config = replace(config, data=config.data | {"root": root})
    origin = Path(config.init.from_ or "").name
    given = None
    if adopt and origin in configs.experiments() and "tokenizer" in config.data:
        given = prepared([f"experiment={origin}"], root)[1].encoding.tokenizer
    start, dataset = find_data(Start(config, tokenizer=given), words)
    return start.config, dataset
