"""`python evaluate.py run=...`: evaluate a trained model on its own data or on other data.

Nothing is written; evaluating twice gives the same metrics, and `split=test checkpoint=best` gives
those of result.json.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from zoo.commands.arguments import modules, options, switch, with_config_dir
from zoo.commands.judging import JUDGE, judging_of
from zoo.commands.other_data import data_settings, is_same_file, split_differently, without_effect
from zoo.commands.outcome import describe
from zoo.config.run import Options
from zoo.config.saved import with_found_files
from zoo.errors import UserError, report, unknown_name
from zoo.files import finite
from zoo.runs.find import find_run
from zoo.terminal import remark, warn

if TYPE_CHECKING:
    from zoo.restore import Restored

USAGE = """\
python evaluate.py run=outputs/<name>/<date_time> [split=] [checkpoint=] [data=NAME] [data.key=...]

Evaluate a trained model; nothing is written.

run=         a run directory, or a folder of runs: the newest; last: the newest below outputs
split=       test (default), val, train or all; all is the default for other data
checkpoint=  best (default), last, a step, or the name of a checkpoint
data=        other data of the same kind, such as data=csv data.path=new.csv; without data=,
             data.key=... changes the run's data (data.path=elsewhere.csv, data.root=/data)
device=      auto (default), cpu, cuda, ...
importance=  true: also what each column of a table is worth to the model, the drop of the
             monitored metric where the column is shuffled (5 times; a number: so often)
samples=     of a model that draws images: how many are drawn to be judged (default 5000)
judge.from=  a run of a classifier of the same data: the Frechet distance in its features
prompts=     [captions] that stand for classes, for models of images and captions: the images whose
             own caption contains one of them are classified by the nearest (zero-shot)
json=true    print JSON, nothing else
plugins=     [modules] to import first; those in the run's config are not imported by default
base=        the weights that a LoRA run's adapter belongs to, if they have moved
--config-dir a folder of your own configs, if data= names one of them
"""
REPEATS = 5  # shuffles of a column
LEAST_SAMPLES, MOST_SAMPLES = 100, 20_000  # drawn; a classifier is trained on all of them


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return report(lambda: with_config_dir(_main, arguments))


def _main(argv: list[str]) -> int:
    values, overrides = options(
        argv,
        USAGE,
        run=...,
        split=None,
        checkpoint="best",
        device="auto",
        json="false",
        importance="false",
        prompts="",
        plugins="[]",
        base="",
        samples="",
        **{JUDGE: ""},
    )
    as_json, repeats = switch(values, "json"), _repeats(values["importance"])
    samples = _samples(values["samples"])
    run = find_run(values["run"]).path  # reports a wrong path before torch is imported
    from zoo.restore import restore

    warnings: list[str] = []
    plugins, base, warn_later = modules(values["plugins"]), values["base"], warnings.append
    restored = restore(run, values["checkpoint"], values["device"], plugins, warn_later, base)
    if values["prompts"]:
        from zoo.commands.matches import set_prompts

        set_prompts(restored, values["prompts"], warn_later)
    trained = with_found_files(restored.config, run).data
    data, other = data_settings(trained, overrides)
    split = values["split"] or ("all" if other else "test")
    judging = judging_of(restored, samples, values[JUDGE], split, warn_later)
    outcome = evaluate_run(restored, data, other, split, warnings, repeats, judging)
    for warning in warnings:
        warn(warning)
    for note in outcome["notes"]:
        remark(f"note: {note}")
    print(json.dumps(finite(outcome)) if as_json else describe(outcome))
    return 0


def _repeats(text: str) -> int:
    """How often each column is shuffled, of `importance=`; 0 for never."""
    if text.lower() in ("true", "false"):
        return REPEATS if text.lower() == "true" else 0
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise UserError(f"importance={text}: expected true, false or a number from 1 to 1000")
    return int(text)


def _samples(text: str) -> int | None:
    """Of `samples=`; None where it is not given."""
    if text and (not text.isdecimal() or not LEAST_SAMPLES <= int(text) <= MOST_SAMPLES):
        expected = f"{LEAST_SAMPLES} to {MOST_SAMPLES:,}"
        raise UserError(f"samples={text}: expected a whole number, {expected}")
    return int(text) if text else None


def evaluate_run(
    restored: "Restored",
    data: Options,
    other: bool,
    split: str,
    warnings: list[str],
    repeats: int = 0,
    judging: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Metrics and details of a run's model on one split, as JSON.

    Args:
        restored: The run.
        data: Settings of the data to evaluate on.
        other: Whether it is other data than the run's.
        split: Of that data.
        warnings: The list that warnings are added to.
        repeats: How often each column of a table is shuffled for its importance; 0 for never.
        judging: Options of `zoo.training.judged.judged`; None to judge nothing that is drawn.

    Raises:
        UserError: Data that does not fit the run, an unknown or empty split.
    """
    from zoo.build import build_dataset, check_batches

    check_batches(data)
    most = None if other else restored.config.trainer.max_samples
    encoding = restored.encoding.to_json()
    dataset = build_dataset(data, encoding, online=other, max_samples=most)
    _check_split(dataset.splits, split)
    is_same = dataset.sha256 == restored.data_sha256
    warnings += _about_data(restored, data, dataset.sha256, other, split)
    warnings += without_effect(restored.config.data, data, split)
    loader = _loader(restored, dataset, data, other)
    samples = loader.sizes[split]
    if restored.config.trainer.overfit and not other:
        warnings.append("trainer.overfit was on: as in training, every split is the first batch")
    if samples == most:
        warnings.append(f"trainer.max_samples was on: as in training, {samples:,} samples are used")
    with _unreadable_batches_reported(restored, data) if other else contextlib.nullcontext():
        means = _means(restored, loader.evaluation(split), split, warnings)
    if judging is not None:
        means |= _judged(restored, loader, judging, warnings)
    return {
        "run": str(restored.run.path),
        "checkpoint": restored.checkpoint,
        "step": restored.step,
        "model": restored.config.model["name"],
        "data": data["name"],
        "split": split,
        "samples": samples,
        "precision": restored.precision.name,
        "device": str(restored.runtime.device),
        "metrics": restored.task.summarize(means),
        "baseline": _baseline(restored, means, split, not other and is_same),
        "details": restored.task.details(means),
        "warnings": list(warnings),
        "notes": [*(dataset.notes if other else []), *dataset.altered.get(split, [])],
        **({"importance": _importance(restored, loader, split, repeats)} if repeats else {}),
    }


def _loader(restored: "Restored", dataset: Any, data: Options, other: bool) -> Any:
    """The batches of the dataset; of the run's own data, those that training took."""
    from zoo.training.loader import Loader

    trainer, size = restored.config.trainer, data["batch_size"]
    accumulate = min(trainer.accumulate, size)  # as much memory as training
    overfit, most = (False, None) if other else (trainer.overfit, trainer.max_samples)
    run = (restored.config.seed, restored.runtime)
    return Loader(dataset, size, *run, accumulate, data["workers"], overfit, most)


def _baseline(
    restored: "Restored", means: dict[str, Any], split: str, is_own: bool
) -> dict[str, Any] | None:
    """The trivial answer's name and metrics; None where it is not known: one that is learnt from
    the tokens of the training split is known of the run's own data alone, from its result.json."""
    from zoo.runs.result import FILE, read_result
    from zoo.tasks.base import HasBaseline

    baseline = restored.task.baseline(means) if isinstance(restored.task, HasBaseline) else None
    if baseline is not None:
        return baseline._asdict()
    if not is_own or not (restored.run.path / FILE).is_file():
        return None
    recorded = read_result(restored.run).get("baseline") or {}
    if split not in recorded:
        return None
    return {"name": str(recorded.get("name")), "metrics": recorded[split], "hint": ""}


def _means(
    restored: "Restored", batches: Iterable[Any], split: str, warnings: list[str]
) -> dict[str, Any]:
    """As in training: the same precision, the same kernels."""
    from zoo.training.evaluate import evaluate
    from zoo.training.runtime import deterministic

    def report(what: str) -> None:
        warnings.append(f"the {split} loss is {what}; is there such a value in the data?")

    parts = (restored.model, restored.task, batches, restored.precision, restored.runtime)
    with deterministic(restored.config.trainer.deterministic):
        return evaluate(*parts, final=split != "val", split=split, report=report)


@contextlib.contextmanager
def _unreadable_batches_reported(restored: "Restored", data: Options) -> Iterator[None]:
    """One line where the model cannot read other data than the run's.

    Raises:
        UserError: In place of what a layer raises.
    """
    from zoo.training.memory import first_line, is_out_of_memory

    try:
        yield
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(
            f"data={data['name']}: a run of task={restored.config.task['name']} on "
            f"{restored.encoding.holds} cannot read its batches "
            f"({first_line(error)}); take data of the run's own form"
        ) from None


def _importance(restored: "Restored", loader: Any, split: str, repeats: int) -> dict[str, Any]:
    """What each column of a table is worth to the model."""
    from zoo.commands.importance import importance

    def evaluate(batches: Iterable[Any]) -> dict[str, Any]:
        return _means(restored, batches, split, [])

    return importance(restored, list(loader.evaluation(split)), evaluate, repeats)


def _judged(
    restored: "Restored", loader: Any, judging: dict[str, Any], warnings: list[str]
) -> dict[str, Any]:
    """As at the end of training."""
    from zoo.training.judged import judged
    from zoo.training.runtime import deterministic

    parts = (restored.model, restored.task, loader, restored.precision, restored.runtime)
    with deterministic(restored.config.trainer.deterministic):
        found = judged(*parts, **judging)
    if not found and any(judging.values()):
        warnings.append("nothing is judged: the images of this data have no class, or all one")
    return found


def _check_split(splits: dict[str, Any], split: str) -> None:
    if split not in splits:
        raise UserError(unknown_name("split", split, splits))
    if len(splits[split]) == 0:
        sizes = ", ".join(f"{name} {len(source)}" for name, source in splits.items())
        raise UserError(f"split={split} is empty ({sizes}); use split=all")


def _about_data(
    restored: "Restored", data: Options, sha256: str, other: bool, split: str
) -> list[str]:
    same = sha256 == restored.data_sha256
    if not other and not same:
        return [
            f"the data changed since the run (SHA-256 {restored.data_sha256[:12]}, now "
            f"{sha256[:12]}): the metrics are of the new data, which may hold training samples"
        ]
    trained = restored.config.data
    if not other or not (same or is_same_file(trained, data)):
        return []
    if split in ("all", "train"):
        return ["this is the run's own data: its training samples are among those evaluated"]
    if settings := split_differently(trained, data):
        return [
            f"this is the run's own data, split differently ({', '.join(settings)}): training "
            "samples may be among those evaluated"
        ]
    return []
