"""python scripts/find_lr.py [experiment=...] [group.key=value] [low=1e-6] [high=1] [steps=200]

Raises the learning rate step by step, draws the loss, and names a value for optim.lr.
Writes <output_dir>/find_lr/<name>.png.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zoo.commands.arguments import options  # noqa: E402
from zoo.config import compose  # noqa: E402
from zoo.errors import UserError, report  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Run the range test of a recipe."""
    values, overrides = options(
        argv, __doc__ or "", low="1e-6", high="1", steps="200", output_dir="outputs", seed="0"
    )
    try:
        low, high, steps = float(values["low"]), float(values["high"]), int(values["steps"])
    except ValueError as error:
        raise UserError(f"low=, high= and steps= take numbers: {error}") from None
    if not 0 < low < high or steps < 20:
        raise UserError(
            f"got low={low:g} high={high:g} steps={steps}: expected 0 < low < high, 20+"
        )
    settings = compose.load([*overrides, f"seed={values['seed']}"])

    from zoo import build
    from zoo.runs.directory import RunDirectory
    from zoo.training.lr_range import draw, lr_range, suggest
    from zoo.training.runtime import Runtime

    build.check_options(settings)
    trainer_options = build.trainer_config(settings)
    dataset = build.build_dataset(settings["data"])
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build.build_trainer(
            settings,
            trainer_options,
            dataset,
            Runtime.start(trainer_options.device),
            RunDirectory(Path(scratch)),
        )
        curve = lr_range(trainer, low, high, steps)
    rate = suggest(curve)
    path = Path(values["output_dir"]) / "find_lr" / f"{settings['name']}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(curve, rate, f"{settings['name']}: {settings['optim']['name']}").savefig(path)
    for k in range(0, len(curve), max(1, len(curve) // 12)):
        print(f"lr {curve[k][0]:9.2e}  loss {curve[k][1]:.4f}")
    print(f"\nthe loss falls fastest at optim.lr={rate:.2g} (now {settings['optim']['lr']:g})")
    print(f"curve  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(report(main))
