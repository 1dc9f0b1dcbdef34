"""An ONNX graph in 8 bits compared with the same in 32: size, speed, and test metrics."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from zoo.commands.evaluate import evaluate_run
from zoo.commands.other_data import data_settings
from zoo.text_table import text_table
from zoo.training.precision import Precision
from zoo.weights.onnx import Inputs, OnnxModel, run_onnx, write_int8, write_onnx

if TYPE_CHECKING:
    from zoo.restore import Restored

ROUNDS, ROWS = 7, 16


def compare_int8(restored: "Restored", inputs: Inputs, folder: Path, about: dict[str, Any]) -> str:
    """Write model.onnx in 8 bits, with what is known `about` its input; a table of what changed."""
    full, small = folder / "fp32.onnx", folder / "model.onnx"
    write_onnx(inputs, full, about)
    write_int8(full, small)
    models = {"fp32": OnnxModel(full, inputs), "int8": OnnxModel(small, inputs)}
    metrics = {name: _test_metrics(restored, model) for name, model in models.items()}
    measured = {"MB": {"fp32": _megabytes(full), "int8": _megabytes(small)}}
    measured |= {"ms a batch": _milliseconds(models, inputs)}
    measured |= {k: {name: metrics[name][k] for name in metrics} for k in metrics["fp32"]}
    for file in folder.glob("fp32.onnx*"):
        file.unlink()
    rows = [("", "fp32", "int8", "ratio")]
    for name, values in measured.items():
        ratio = values["int8"] / values["fp32"] if values["fp32"] else float("nan")
        rows.append((name, f"{values['fp32']:.4g}", f"{values['int8']:.4g}", f"{ratio:.3f}"))
    return text_table(rows)


def _test_metrics(restored: "Restored", model: OnnxModel) -> dict[str, float]:
    precision = Precision("fp32", restored.runtime.device)
    other = replace(restored, model=model.eval(), precision=precision)
    data, _ = data_settings(restored.config.data, [])
    return evaluate_run(other, data, False, "test", [])["metrics"]


def _milliseconds(models: dict[str, OnnxModel], inputs: Inputs) -> dict[str, float]:
    """Of one batch, the models measured in turn."""
    batch = tuple(x.repeat(ROWS // len(x), *[1] * (x.ndim - 1)) for x in inputs.example)
    sessions = {name: model.session for name, model in models.items()}
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            run_onnx(session, batch)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: median(measured) for name, measured in times.items()}


def _megabytes(path: Path) -> float:
    """Of a graph and the files of its tensors."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6
