"""metrics.jsonl and TensorBoard: the same numbers, step by step, in one directory.

metrics.jsonl holds only what a repeated run repeats (losses, metrics, rates of learning), so that
two runs can be compared byte by byte. What the clock says (speed, memory) goes to TensorBoard.
"""

import json
import os
from typing import Any

from zoo.runs.directory import RunDirectory

NOT_TUNED = ("experiment", "name", "output_dir", "resume", "plugins", "expect")


class Logger:
    """Writes one run's figures and pictures.

    Args:
        run: Where to.
        step: The step that the run goes on from; later points of an earlier session are dropped.
        offset: Bytes of metrics.jsonl that belong to steps up to `step`.
    """

    def __init__(self, run: RunDirectory, step: int = 0, offset: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.run, self.step = run, step
        self._file = run.metrics_file.open("ab")
        self._file.truncate(offset)
        self._file.seek(offset)
        # TensorBoard drops whole steps only: those of `step` that count are written again.
        resumed = any(run.path.glob("events.out.tfevents.*"))
        self.writer = SummaryWriter(
            str(run.path), purge_step=step if resumed else None, flush_secs=10
        )
        for row in run.metrics():
            if row["step"] == step:
                self._draw(**row)

    def metrics(self, step: int, split: str, figures: dict[str, float]) -> None:
        """One line of metrics.jsonl and one point per figure in TensorBoard."""
        row = {"step": step, "split": split} | figures
        self._file.write(json.dumps(row).encode() + b"\n")
        self._file.flush()
        self._draw(**row)

    def _draw(self, step: int, split: str, **figures: float) -> None:
        for name, value in figures.items():
            tag = name if name in ("lr", "grad_norm") else f"{split}/{name}"
            self.writer.add_scalar(tag, value, step)

    def clock(self, step: int, figures: dict[str, float]) -> None:
        """Points that no repeated run repeats: TensorBoard only."""
        for tag, value in figures.items():
            self.writer.add_scalar(tag, value, step)

    def figure(self, tag: str, figure: Any) -> None:
        """A matplotlib figure, in TensorBoard and as `previews/<tag>-<step>.png`."""
        import numpy
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        picture = numpy.asarray(canvas.buffer_rgba())[..., :3]
        self.writer.add_image(tag, picture, self.step, dataformats="HWC")
        self.run.previews.mkdir(exist_ok=True)
        Image.fromarray(picture).save(
            self.run.previews / f"{tag.replace('/', '_')}-{self.step:06d}.png"
        )

    def text(self, tag: str, text: str) -> None:
        """A text sample, in TensorBoard and as `previews/<tag>-<step>.txt`."""
        self.writer.add_text(tag, text, self.step)
        self.run.previews.mkdir(exist_ok=True)
        name = f"{tag.replace('/', '_')}-{self.step:06d}.txt"
        (self.run.previews / name).write_text(text, encoding="utf-8")

    def hparams(self, settings: dict[str, Any], metrics: dict[str, float]) -> None:
        """Settings and final metrics for the HParams tab, in this run's own event file.

        SummaryWriter.add_hparams would open a second run; the session's start and end alone
        suffice, and TensorBoard derives the table's columns from all runs it finds, those that
        differ first. Metrics are sorted by name, so `best/...` come before the training's figures.
        """
        from torch.utils.tensorboard.summary import hparams

        for name, value in metrics.items():
            self.writer.add_scalar(f"best/{name.replace('/', '_')}", value, self.step)
        plain = {
            name: value
            if isinstance(value, int | float) and not isinstance(value, bool)
            else str(value)
            for name, value in settings.items()
            if name.split(".")[0] not in NOT_TUNED
        }
        _, start, end = hparams(plain, metrics)
        self.writer.file_writer.add_summary(start)
        self.writer.file_writer.add_summary(end)

    def offset(self) -> int:
        """Bytes of metrics.jsonl written, all of them on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Flush everything."""
        self._file.close()
        self.writer.close()
