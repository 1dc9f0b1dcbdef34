"""`python scripts/merge.py adapters=[...] weights=[...] out=...`: LoRA runs of one base as one.

Wortsman et al., 2022 (https://arxiv.org/abs/2203.05482), average the weights of networks that were
fine-tuned from one base, Ilharco et al., 2023 (https://arxiv.org/abs/2212.04089), add and subtract
what each has learnt; here of adapters, whose weighted sum is exact (zoo/weights/merged.py).
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.commands.arguments import modules, options
from zoo.config.saved import MERGED, read_config
from zoo.errors import UserError, report
from zoo.files import atomic_folder, user_path, write_synced
from zoo.runs.directory import RunDirectory
from zoo.runs.find import find_run
from zoo.runs.result import FILE
from zoo.terminal import warn

if TYPE_CHECKING:
    from zoo.restore import Restored
    from zoo.weights.peft import Adapter

USAGE = """\
python scripts/merge.py adapters=[outputs/a,outputs/b] out=outputs/merged/ab

Adds what LoRA runs of one base have learnt. The result is a run to predict, evaluate and export
with, and to go on from: init.adapter=outputs/merged/ab. Its rank is the sum of theirs.

adapters=    [folders] of LoRA runs, the first of which names data and task; also folders of PEFT's
weights=     [numbers] by which each is multiplied; below 0 it is subtracted (default: the mean)
out=         the folder to create
base=        the weights that the adapters belong to, if they have moved
plugins=     [modules] to import first; those in the run's config are not imported by default
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"weights": "", "base": "", "plugins": "[]"}
    values, overrides = options(argv, USAGE, adapters=..., out=..., **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': runs are merged as they were trained")
    paths, out = modules(values["adapters"]), user_path(values["out"])
    if len(set(paths)) < max(2, len(paths)):
        raise UserError(f"adapters={values['adapters']}: expected two or more different folders")
    numbers = _weights(values["weights"], len(paths))
    if out.exists():
        raise UserError(f"out={out} exists already; name a folder that is not there yet")
    paths[1:] = [path if _is_peft(path) else _run(path) for path in paths[1:]]
    paths[0] = _run(paths[0])
    if (config := read_config(Path(paths[0]))).adapter["name"] != "lora":
        raise UserError(
            f"{paths[0]}: expected a run with adapter=lora, got adapter={config.adapter['name']}"
        )
    from zoo.restore import restore
    from zoo.weights.merged import merge_adapters

    restored = restore(paths[0], "best", "cpu", modules(values["plugins"]), warn, values["base"])
    adapters = _read(restored, paths, values["base"])
    weights = dict(zip(adapters, numbers, strict=True))
    chosen = merge_adapters(restored.model, adapters, weights)
    try:
        with atomic_folder(out) as folder:
            _write(restored, chosen, weights, folder, out)
    except OSError as error:
        raise UserError(f"out={out} cannot be made: {error.strerror or error}") from None
    terms = " + ".join(f"{weight:g} x {path}" for path, weight in weights.items())
    print(f"{out}: {terms}, rank {chosen['rank']}")
    return 0


def _is_peft(path: str) -> bool:
    return (user_path(path) / "adapter_config.json").is_file()


def _run(path: str) -> str:
    return str(find_run(path, "adapters").path)


def _weights(text: str, number: int) -> list[float]:
    """As typed; the mean without any."""
    if not text:
        return [1 / number] * number
    try:
        weights = [float(word) for word in modules(text)]
    except ValueError:
        weights = []
    if len(weights) != number or not all(map(math.isfinite, weights)):
        raise UserError(f"weights={text}: expected {number} numbers, one for each adapter")
    return weights


def _read(restored: "Restored", paths: list[str], base: str) -> "dict[str, Adapter]":
    """The adapters, all of one base in one format.

    Raises:
        UserError: One is none, or belongs to another base.
    """
    from zoo.weights.adapters import check_answers, read_adapters

    config = restored.config
    chosen = restored.facts | config.model
    origin = base or str(config.init.from_)
    read = read_adapters(paths, origin, config.model["name"], chosen)
    adapters = {path: adapter for path, adapter in read.items() if adapter is not None}
    check_answers(restored.facts, adapters)
    own = config.init.quantize
    for path, adapter in adapters.items():
        if not _is_peft(path) and adapter.quantize != own:
            raise UserError(
                f"{path} was trained on a base in {adapter.quantize or 'full precision'}, and "
                f"{paths[0]} on one in {own or 'full precision'}: they are not the same base"
            )
    return adapters


def _write(
    restored: "Restored", chosen: dict[str, Any], weights: dict[str, float], folder: Path, out: Path
) -> None:
    """A run directory with the model's adapter: config, data, and one checkpoint."""
    from zoo.restore import find_checkpoint
    from zoo.training.checkpoint import Checkpointer, trainable_tensors

    first = restored.config
    origin = user_path(str(first.init.from_))
    base = str(origin.resolve()) if origin.exists() else first.init.from_  # else a name on the Hub
    config = replace(
        first,
        experiment=None,
        name=out.name,
        init=replace(first.init, from_=base, adapter=None),
        adapter={"name": "lora", **chosen},
        expect={},
    )
    run = RunDirectory(folder)
    run.write_json("dataset.json", restored.run.read_dataset())
    adapters = [{"path": str(Path(p).resolve()), "weight": w} for p, w in weights.items()]
    write_synced(folder / MERGED, json.dumps({"adapters": adapters}, indent=2).encode())
    trained = find_checkpoint(restored.run, restored.checkpoint, warn)
    state = {"base": trained.state.get("base"), "precision": {"name": restored.precision.name}}
    tensors = {"model": trainable_tensors(restored.model)}
    Checkpointer(run.checkpoints).save("best", 0, tensors, state)
    outcome: dict[str, Any] = {"status": "done", "reason": "merged, not trained", "steps": 0}
    outcome |= {"name": config.name, "seed": config.seed, "model": config.model["name"]}
    run.write_json(FILE, outcome | {"precision": restored.precision.name})
    text = yaml.safe_dump(config.to_dict(), sort_keys=False)
    write_synced(folder / "config.yaml", text.encode())
