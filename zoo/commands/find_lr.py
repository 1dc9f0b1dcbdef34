"""python scripts/find_lr.py [experiment=...] [group.key=value] [low=1e-6] [high=1] [steps=200]

The learning-rate range test: raises the learning rate step by step until the loss diverges, plots
the loss, and suggests a value for optim.lr. Writes <output_dir>/find_lr/<name>.png. Takes
--config-dir and plugins= as training does.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from zoo.commands.arguments import options, with_config_dir
from zoo.config import compose
from zoo.config.run import RunConfig
from zoo.errors import UserError, report
from zoo.figures import render
from zoo.files import user_path

Curve = list[tuple[float, float]]  # learning rate, smoothed loss


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    return report(lambda: with_config_dir(_main, arguments))


def _main(argv: list[str]) -> int:
    defaults = {"output_dir": "outputs", "seed": "0", "plugins": ""}
    started = [a for a in argv if a.startswith(("init.", "teacher."))]
    rest = [a for a in argv if a not in started]
    values, overrides = options(rest, __doc__ or "", low="1e-6", high="1", steps="200", **defaults)
    overrides += started
    overrides += [f"plugins={values['plugins']}"] if values["plugins"] else []
    low, high, steps = search_range(values)
    config = compose.load([*overrides, f"seed={values['seed']}"])
    curve = measure(config, overrides, low, high, steps)

    from zoo.training.lr_range import draw, suggest

    if not curve:
        raise UserError(f"the loss is not finite at a rate of low={low:g} already; lower it")
    rate = suggest(curve)
    path = user_path(values["output_dir"]) / "find_lr" / f"{config.name}.png"
    drawn = f"curve  {path}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure = draw(curve, rate, f"{config.name}: {config.optim['name']}")
        path.write_bytes(render(figure)[0])
    except Exception as error:  # the rates that were measured are still printed
        drawn = f"no curve: {path} was not drawn ({error})"
    for k in range(0, len(curve), max(1, len(curve) // 12)):
        print(f"lr {curve[k][0]:9.2e}  loss {curve[k][1]:.4f}")
    print(f"\nthe loss falls fastest at optim.lr={rate:.2g} (now {config.optim['lr']:g})")
    print(drawn)
    return 0


def search_range(values: dict[str, Any]) -> tuple[float, float, int]:
    """The least and greatest learning rate, and the steps between.

    Raises:
        UserError: They are not numbers, or no range.
    """
    try:
        low, high, steps = float(values["low"]), float(values["high"]), int(values["steps"])
    except ValueError as error:
        raise UserError(f"low=, high= and steps= take numbers: {error}") from None
    if not 0 < low < high or steps < 20:
        raise UserError(
            f"got low={low:g} high={high:g} steps={steps}: expected 0 < low < high, 20+"
        )
    return low, high, steps


def measure(config: RunConfig, overrides: list[str], low: float, high: float, steps: int) -> Curve:
    """The loss at each rate, of a trainer whose run directory is thrown away.

    It starts from the weights and with the teacher that training would have.
    """
    from zoo import build
    from zoo.importing import import_plugins
    from zoo.runs.directory import RunDirectory
    from zoo.start import find_data, find_start
    from zoo.training.lr_range import lr_range
    from zoo.training.runtime import Runtime

    import_plugins(config.plugins)
    build.check_options(config)
    runtime = Runtime.start(config.trainer.device)
    start = find_start(config, overrides, None, runtime)
    start, dataset = find_data(start, overrides)
    config = start.config
    with tempfile.TemporaryDirectory() as scratch:
        directory = RunDirectory(Path(scratch))
        trainer = build.build_trainer(
            config, dataset, runtime, directory, start.source, start.teacher
        )
        return lr_range(trainer, low, high, steps)
