"""Training processes with something that ends them, and what a run ends with."""

import contextlib
import io
import json
import os
import shutil
import signal
from pathlib import Path
from unittest import mock

from zoo.training.checkpoint import read


def train(arguments, *trap):
    """`train.py` with a trap: what kills or signals this process, and when. Its figures are made,
    but as files they are blank, which takes half of the time."""
    from zoo.commands import train as cli

    with set_trap(*trap), mock.patch("zoo.training.logger.render", blank):
        return cli.main(list(arguments))


def train_at_once(arguments):
    """`train`, which does not wait for a process that may still be ending."""
    with mock.patch("zoo.session.ENDING_SECONDS", 0):
        return train(arguments)


def blank(figure, **options):
    """In place of `zoo.figures.render`."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("L", (3, 2)).save(file, "PNG")
    return file.getvalue(), None


@contextlib.contextmanager
def set_trap(kind=None, where=None, number=signal.SIGKILL):
    """Send `number` to this process:

    ("step", k): in the middle of optimizer step k;
    ("fsync", k), ("rename", k), ("mkdir", k), ("rmtree", k): before the k-th such call;
    ("evaluation", k): before the k-th batch of an evaluation;
    ("time", s): after s seconds.
    """
    from zoo.training import evaluate as evaluation
    from zoo.training.trainer import Trainer

    calls = {"count": 0}

    def trapped(function, at):
        def call(*args, **kwargs):
            calls["count"] += 1
            if calls["count"] == at:
                os.kill(os.getpid(), number)
            return function(*args, **kwargs)

        return call

    places = {
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "mkdir": (Path, "mkdir"),
        "rmtree": (shutil, "rmtree"),
        "evaluation": (evaluation, "forked_rng"),
        "step": (Trainer, "progress"),
    }
    if kind == "time":
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), number))
        signal.setitimer(signal.ITIMER_REAL, where)
    if kind not in places:
        yield
        return
    owner, name = places[kind]
    original = getattr(owner, name)
    setattr(owner, name, trapped(original, where))
    try:
        yield
    finally:
        setattr(owner, name, original)


def newest(run, kind):
    """The newest checkpoint of a kind, verified, or None."""
    found = sorted((run / "checkpoints").glob(f"{kind}-*"))
    return read(found[-1]) if found else None


def ending(run):
    """Everything that a run ends with: what must be the same bit for bit."""
    last, best = newest(run, "last"), newest(run, "best")
    state = {k: v for k, v in last.state.items() if k != "seconds"}
    result = json.loads((run / "result.json").read_text())
    kept = ("status", "steps", "epochs", "val", "test", "best", "expect", "parameters")
    return {
        "last": last.tensors,
        "best": best.tensors if best else None,
        "steps": (last.step, best.step if best else None),
        "state": state,
        "metrics": (run / "metrics.jsonl").read_text(),
        "result": {key: result.get(key) for key in kept},
        "checkpoints": sorted(p.name for p in (run / "checkpoints").iterdir()),
    }


def differences(one, other):
    """Names of what differs between two endings, down to the tensor."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            f"{key}.{below}" if below else str(key)
            for key in sorted(one.keys() | other.keys(), key=str)
            for below in (
                differences(one[key], other[key]) if key in one and key in other else [""]
            )
        ]
    if hasattr(one, "dtype"):
        alike = one.dtype == other.dtype and one.shape == other.shape
        return [] if alike and bool((one == other).all()) else [""]
    return [] if one == other else [""]


def curves(run):
    """Tag to {step: values} as TensorBoard's reader sees them, restarts purged."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(run), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    points = {}
    for tag in reader.Tags()["scalars"]:
        for event in reader.Scalars(tag):
            points.setdefault(tag, {}).setdefault(event.step, []).append(event.value)
    return points


def age(run):
    """Give event files earlier names: TensorBoard orders them by second, and tests are fast."""
    found = sorted(run.glob("events.out.tfevents.*"), key=lambda p: p.stat().st_mtime_ns)
    for k, path in enumerate(found):
        rest = path.name.split(".", 4)[4]
        path.rename(run / f"events.out.tfevents.{k:010d}.{rest}")
