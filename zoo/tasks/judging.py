"""What tasks that draw images share: how what they draw compares with real images.

A task derives from `JudgedDrawings`, and adds a line each to `summarize`, `baseline`, `details` and
`preview`:

    metrics |= judged_metrics(means)
    baseline.metrics | judged_baseline(means)
    details | judged_details(means)
    judged_plots(means, writer)
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.judge.images import Images
from zoo.judge.verdict import DRAWN, GAUSSIANS, REAL, verdict
from zoo.tasks.base import Batch, PreviewWriter, no_autocast
from zoo.tasks.drawing import draw_all
from zoo.tasks.pixels import Pixels, to_bytes
from zoo.tasks.plots.judged import neighbours_plots

PREFIX, PAIRS = "judged/", "judged_pairs"
SEED = 0
SAMPLES, REPEATS = 5000, 4  # drawn, and of the training images at most


class JudgedDrawings:
    """Implements `zoo.tasks.capabilities.Judged` for a task that implements `DrawsImages`.

    Attributes:
        pixels: Of the data.
        class_names: Of the classes that the model can be asked for; empty where it has none.
    """

    pixels: Pixels
    class_names: list[str]

    def judge(
        self,
        model: nn.Module,
        train: Iterable[Batch],
        test: Iterable[Batch],
        samples: int | None = None,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Figures of drawn images, of each class a share as in the training split: 5,000, or four
        times as many as there are to train on.

        Nothing where images have no class, or all have one.
        """
        real = self._images(train)
        if real is None or len(real.labels.unique()) < 2:
            return {}
        tested = self._images(test)
        assert tested is not None
        samples = samples or min(SAMPLES, REPEATS * len(real))
        rounds, rest = divmod(samples, len(real))
        labels = torch.cat([real.labels.repeat(rounds), real.mixed().labels[:rest]])
        generator = torch.Generator().manual_seed(SEED)
        pixels = draw_all(self, model, labels, generator)  # type: ignore[arg-type]  # it draws
        with no_autocast(pixels.device):  # which is the run's, for drawing
            found = verdict(real, tested, Images(pixels, labels), bool(self.class_names), features)
        means = {
            f"{PREFIX}{column}/{name}": torch.tensor(value, dtype=torch.float64)
            for column, figures in found.columns.items()
            for name, value in figures.items()
        }
        return means | {PAIRS: found.pairs}

    def _images(self, batches: Iterable[Batch]) -> Images | None:
        """Pixels and classes of a split; None where it states no class for an image."""
        pixels, labels = [], []
        for batch in batches:
            target = batch.get("target")
            if target is None or target.dim() != 1 or target.is_floating_point():
                return None
            pixels.append(to_bytes(self.pixels.to_unit(batch["input"])))
            labels.append(target.cpu())
        return Images(torch.cat(pixels), torch.cat(labels))


def judged_metrics(means: dict[str, Tensor]) -> dict[str, float]:
    """The figures that a run is judged by; none before its end.

    `drawn_accuracy`: of a classifier trained on drawn images and tested on real ones;
    `real_accuracy`: the same trained on real ones; `accuracy_gap`: how much less the first is;
    `smallest_class`: share of the rarest class in what is drawn, relative to the training split.
    """
    columns = _columns(means)
    if not columns:
        return {}
    return _metrics(columns, DRAWN)


def judged_baseline(means: dict[str, Tensor]) -> dict[str, float]:
    """The same of images drawn from a Gaussian of each class."""
    columns = _columns(means)
    return _metrics(columns, GAUSSIANS) if GAUSSIANS in columns else {}


def judged_details(means: dict[str, Tensor]) -> dict[str, Any]:
    """All figures, by column and name."""
    columns = _columns(means)
    return {"judged": columns} if columns else {}


def judged_plots(means: dict[str, Tensor], writer: PreviewWriter) -> None:
    """Drawn images beside their nearest training images; at the end of a run."""
    if PAIRS in means:
        neighbours_plots(means[PAIRS], writer)


def _columns(means: dict[str, Tensor]) -> dict[str, dict[str, float]]:
    columns: dict[str, dict[str, float]] = {}
    for key, value in means.items():
        if key.startswith(PREFIX):
            column, name = key.removeprefix(PREFIX).split("/")
            columns.setdefault(column, {})[name] = float(value)
    return columns


def _metrics(columns: dict[str, dict[str, float]], name: str) -> dict[str, float]:
    column, real = columns[name], columns[REAL]["accuracy"]
    metrics = {"smallest_class": column["smallest_class"]}
    if "accuracy" in column:
        metrics |= {"drawn_accuracy": column["accuracy"], "real_accuracy": real}
        metrics["accuracy_gap"] = real - column["accuracy"]
    return metrics
