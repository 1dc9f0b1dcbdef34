"""A graph in 8 bits beside the same in 32: size, speed, and what the test split says."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

from zoo.commands.evaluate import data_settings, evaluate_run
from zoo.text_table import text_table
from zoo.training.precision import Precision
from zoo.weights.onnx import Inputs, OnnxModel, write_int8, write_onnx

if TYPE_CHECKING:
    from zoo.restore import Restored

ROUNDS, ROWS = 7, 16


def compare_int8(restored: "Restored", folder: Path) -> str:
    """Write model.onnx in 8 bits; says in a table what changed."""
    inputs = Inputs(restored.facts, getattr(restored.model, "context", None))
    whole, small = folder / "whole.onnx", folder / "model.onnx"
    write_onnx(restored.model, inputs, whole)
    write_int8(whole, small)
    models = {"fp32": OnnxModel(whole, restored.model), "int8": OnnxModel(small, restored.model)}
    figures = {name: _judged(restored, model) for name, model in models.items()}
    speed = _seconds(models, inputs)
    sizes = {"fp32": _size(whole), "int8": _size(small)}
    for part in folder.glob("whole.onnx*"):
        part.unlink()
    rows = [("", "fp32", "int8", "ratio")]
    measured = {"MB": sizes, "ms a batch": speed}
    measured |= {k: {n: figures[n][k] for n in figures} for k in figures["fp32"]}
    for name, found in measured.items():
        ratio = found["int8"] / found["fp32"] if found["fp32"] else float("nan")
        rows.append((name, f"{found['fp32']:.4g}", f"{found['int8']:.4g}", f"{ratio:.3f}"))
    return f"For ONNX runtimes, weights in 8 bits.\n{text_table(rows)}"


def _judged(restored: "Restored", model: OnnxModel) -> dict[str, float]:
    """Metrics on the test split."""
    precision = Precision("fp32", restored.runtime.device)
    other = replace(restored, model=model.eval(), precision=precision)
    data, _ = data_settings(restored.settings, [])
    return evaluate_run(other, data, False, "test", [])["metrics"]


def _seconds(models: dict[str, OnnxModel], inputs: Inputs) -> dict[str, float]:
    """Milliseconds of one batch, in turns."""
    batch = tuple(x.repeat(ROWS // len(x), *[1] * (x.ndim - 1)) for x in inputs.example)
    found: dict[str, list[float]] = {name: [] for name in models}
    with torch.no_grad():
        for _ in range(ROUNDS):
            for name, model in models.items():
                start = time.perf_counter()
                model(*batch)
                found[name].append(1000 * (time.perf_counter() - start))
    return {name: median(times) for name, times in found.items()}


def _size(path: Path) -> float:
    """Megabytes, of tensors beside the file too."""
    return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*")) / 1e6
