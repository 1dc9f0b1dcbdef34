"""`evaluate.py ... judge.from=<run>`: what is drawn, in the features of a classifier of one's own.

Shapes: N images, C channels, H height, W width, D features.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from zoo.config.run import SPLIT_KEYS
from zoo.config.saved import with_found_files
from zoo.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from zoo.restore import Restored, Warn

JUDGE = "judge.from"
AT_ONCE = 500  # images


def judging_of(
    restored: "Restored", samples: int | None, judge: str, split: str, warn: "Warn"
) -> dict[str, Any] | None:
    """The options of `zoo.training.judged.judged` for a run, or None if nothing is to be judged.

    Args:
        restored: The run.
        samples: How many to draw; None for the default.
        judge: A run of a classifier; empty for none.
        split: That is evaluated; images are judged on the test split, as in training.
        warn: Called with what is said of the judge.

    Raises:
        UserError: Options for a run that draws nothing, or another split; a judge that does not
            fit.
    """
    from zoo.tasks.capabilities import Judged

    given = f"samples={samples}" if samples else f"{JUDGE}={judge}" if judge else ""
    if not isinstance(restored.task, Judged):
        if given:
            name = restored.config.task["name"]
            raise UserError(f"{given} is for models that draw, and task={name} draws nothing")
        return None
    if split != "test":
        if given:
            raise UserError(f"{given} is for split=test, got split={split}")
        return None
    features = Judge(judge, restored, warn) if judge else None
    return {"samples": samples, "features": features}


class Judge:
    """A trained classifier, as a function of images to features.

    Args:
        path: Of its run.
        restored: The run to be judged, whose data it must have been trained on.
        warn: Called with warnings.

    Raises:
        UserError: It is no classifier with an output layer, or was trained on other data. One of
            another split that has seen test images gets a warning: the judge of one seed compares
            runs of several.
    """

    def __init__(self, path: str, restored: "Restored", warn: "Warn") -> None:
        from zoo.naming import HEADS
        from zoo.restore import restore
        from zoo.runs.find import find_run

        device = str(restored.runtime.device)
        judge = restore(find_run(path).path, device=device, warn=warn)
        _check_data(judge, restored, path)
        heads = [m for n, m in judge.model.named_modules() if n.rpartition(".")[2] in HEADS]
        if not heads or judge.config.task["name"] != "classification":
            raise UserError(
                f"{JUDGE}={path}: expected a run with task=classification and a model with an "
                f"output layer, got task={judge.config.task['name']} and "
                f"model={judge.config.model['name']}"
            )
        _warn_of_known_images(judge, restored, path, warn)
        self.judge, self.head = judge, heads[0]

    def __call__(self, pixels: "Tensor") -> "Tensor":
        """Uint8 (N, C, H, W) to what the output layer reads, (N, D), on the CPU."""
        import torch

        from zoo.tasks.base import no_autocast

        read: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda module, inputs: read.append(inputs[0]))
        device = self.judge.runtime.device
        try:
            # Its own precision, whatever that of the run is: the same features for all runs.
            with torch.no_grad(), no_autocast(device), self.judge.precision.autocast():
                for part in pixels.split(AT_ONCE):
                    batch = self.judge.encoding.prepare({"input": part.to(device)})
                    self.judge.model(batch["input"])
        finally:
            hook.remove()
        return torch.cat([features.flatten(1).float().cpu() for features in read])


def _check_data(judge: "Restored", restored: "Restored", path: str) -> None:
    """Raise where a judge was trained on other data."""
    shapes = [str(tuple(r.facts.get("input_shape", ()))) for r in (judge, restored)]
    names = [r.config.data["name"] for r in (judge, restored)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"{JUDGE}={path}: the judge takes inputs of shape {shapes[0]} (data={names[0]}), "
            f"these images are {shapes[1]} (data={names[1]}); train one on data={names[1]}"
        )
    if judge.data_sha256 != restored.data_sha256:
        raise UserError(
            f"{JUDGE}={path}: the judge was trained on other data (data={names[0]}, SHA-256 "
            f"{judge.data_sha256[:12]}) than this run (data={names[1]}, "
            f"{restored.data_sha256[:12]}); train one on the same data"
        )


def _warn_of_known_images(judge: "Restored", restored: "Restored", path: str, warn: "Warn") -> None:
    """Warn where a judge of another split was trained on images of the run's test split."""
    settings = [{n: r.config.data.get(n) for n in SPLIT_KEYS} for r in (judge, restored)]
    if settings[0] == settings[1]:
        return
    known, total = _known_images(judge, restored)
    if not known:
        return
    differing = [name for name in SPLIT_KEYS if settings[0][name] != settings[1][name]]
    of_judge, here = (", ".join(f"data.{n}={s[n]}" for n in differing) for s in settings)
    warn(
        f"{JUDGE}={path}: the judge was trained on {known:,} of these {total:,} test images "
        f"({of_judge}), which it knows better than others; one trained with {here} has seen none "
        f"of them"
    )


def _known_images(judge: "Restored", restored: "Restored") -> tuple[int, int]:
    """How many images of a run's test split the judge was trained on, and how many there are."""
    from zoo.build import build_dataset

    rows = []
    for run, split in ((judge, "train"), (restored, "test")):
        data = with_found_files(run.config, run.run.path).data
        source = build_dataset(data, run.encoding.to_json(), online=False).splits[split]
        images = (source[k]["input"] for k in range(len(source)))  # of files, one by one
        rows.append([hashlib.sha256(image.numpy().tobytes()).digest() for image in images])
    known = set(rows[0])
    return sum(row in known for row in rows[1]), len(rows[1])
