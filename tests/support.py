"""Helpers that several tests share."""

import json
from functools import cache
from pathlib import Path

import yaml

from zoo.config.compose import load

ROOT = Path(__file__).resolve().parents[1]


@cache
def recipe(name):
    """The config of an experiment, composed once for many tests; not to be changed."""
    return load([f"experiment={name}"])


def refused(result, outputs):
    """The one line of a mistake; asserts that it is one line, and that no run was begun."""
    assert result.code == 2, (result.code, result.out, result.err)
    lines = result.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), result.err
    assert "Traceback" not in result.out + result.err
    left = list(outputs.rglob("*"))
    assert not left, left
    return lines[0].removeprefix("error: ")


def write_run(path, val=None, test=None, status="done", typed=(), losses=(), **settings):
    """A run directory as training leaves it, as far as comparisons read it.

    Args:
        path: Where.
        val, test: Metrics; accuracy alone as a number.
        typed: Overrides.
        losses: Of training, a report every ten steps.
        **settings: `optim__lr=0.1`, `seed=1`, `experiment="x"`; `result=dict(...)` for result.json.
    """
    more = settings.pop("result", {})
    config = {"experiment": "toy", "name": "toy", "seed": 0, "output_dir": "outputs"}
    config |= {"data": {"name": "rain", "split_seed": settings.get("seed", 0)}}
    config |= {"model": {"name": "mlp", "width": 8}, "optim": {"name": "adamw", "lr": 0.01}}
    for name, value in settings.items():
        *parents, leaf = name.split("__")
        node = config
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    (path / "checkpoints").mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (path / "overrides.txt").write_text("".join(f"{one}\n" for one in typed))
    rows = [{"step": 10 * k, "split": "train", "loss": v} for k, v in enumerate(losses, 1)]
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if status is None:
        return path
    val, test = ({"accuracy": v} if isinstance(v, float) else v for v in (val, test))
    result = {
        "status": status, "reason": None, "seed": config["seed"], "monitor": "accuracy",
        "val": val, "best": {"step": 50} | val if val else None, "test": test, "steps": 60,
        "parameters": 100, "seconds": 2.0, "precision": "fp32", "device": "cpu",
        "data": {"sha256": "d1"}, "commit": "a" * 40,
        "environment": {"torch": "2.13", "python": "3.12", "device": "cpu", "threads": 1},
    }  # fmt: skip
    (path / "result.json").write_text(json.dumps(result | more))
    return path
