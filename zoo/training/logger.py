"""metrics.jsonl and TensorBoard: the same numbers, step by step, in one directory.

metrics.jsonl holds only what a repeated run repeats (losses, metrics, rates of learning), so that
two runs can be compared byte by byte. Speed and memory, which vary, go to TensorBoard.
"""

import contextlib
import io
import json
import os
import re
import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from zoo.figures import for_tensorboard, render
from zoo.files import finite
from zoo.runs.directory import RunDirectory
from zoo.runs.metrics_file import cut
from zoo.training.film import SUFFIX, Film, films_of
from zoo.training.histogram import histogram

TOGETHER = "training, validation, test"  # heading of TensorBoard's custom scalars


class Logger:
    """Writes one run's metrics, plots and text samples.

    Args:
        run: Where to.
        step: The step that the run resumes from; later points of an earlier session are dropped.
        offset: Bytes of metrics.jsonl that belong to steps up to `step`.
        warn: Called with a warning where the file has lost some of them.
    """

    def __init__(
        self,
        run: RunDirectory,
        step: int = 0,
        offset: int = 0,
        warn: Callable[[str], None] = print,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.run, self.step, self._laid_out = run, step, False
        rows, lost = cut(run.metrics_file, offset)
        if lost:
            warn(
                f"{run.metrics_file} lacks {lost:,} of the {offset:,} bytes that the checkpoint "
                f"counted; training goes on as it would have, earlier metrics are missing there"
            )
        self._file = run.metrics_file.open("ab")
        # TensorBoard drops whole steps only: those of `step` that count are written again.
        resumed = any(run.path.glob("events.out.tfevents.*"))
        self.writer = SummaryWriter(
            str(run.path), purge_step=step if resumed else None, flush_secs=10
        )
        for row in rows:
            if row["step"] == step:
                row.pop("step")
                self._draw(step, row.pop("split"), row)

        for film in films_of(run.previews):
            film.cut(step)
            if step in film.frames():  # dropped with all of this step
                self._image(film.folder.name, film.frames()[step].read_bytes(), "")

    def metrics(self, step: int, split: str, metrics: dict[str, float]) -> None:
        """One line of metrics.jsonl (nan and infinity as null) and a point each in TensorBoard."""
        row = {"step": step, "split": split} | metrics
        self._file.write(json.dumps(finite(row)).encode() + b"\n")
        self._file.flush()
        self._draw(step, split, metrics)

    def _draw(self, step: int, split: str, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.writer.add_scalar(f"{split}/{name}", value, step)
        if split == "val" and not self._laid_out:
            self._lay_out(list(metrics))

    def _lay_out(self, names: list[str]) -> None:
        """One chart of each metric's splits, now that the names are known.

        All runs' charts stand under the same heading: TensorBoard 2.21 loses charts where it merges
        several.
        """
        charts = {name: ["Multiline", [f"(train|val|test)/{re.escape(name)}$"]] for name in names}
        self.writer.add_custom_scalars({TOGETHER: charts})
        self._laid_out = True

    def best(self, step: int, metrics: dict[str, float]) -> None:
        """Validation where it was best so far; the last point is the run's score."""
        for name, value in metrics.items():
            self.writer.add_scalar(f"best/val_{name}", value, step)

    def clock(self, step: int, metrics: dict[str, float]) -> None:
        """Points that differ between repetitions of a run: TensorBoard only."""
        for name, value in metrics.items():
            self.writer.add_scalar(f"train/{name}", value, step)

    def figure(self, tag: str, figure: Any, full: Any = None, caption: str = "") -> None:
        """A matplotlib figure, in TensorBoard and as `previews/<tag>-<step>.png`.

        Args:
            tag: Its name.
            figure: What a card of TensorBoard shows.
            full: The same in detail, as `previews/<tag>_full-<step>.png`.
            caption: What is to be seen, in a sentence or two; also inside the files.
        """
        png = self._png(tag, figure, caption)
        self._image(tag, png, caption)
        if full is not None:
            self._png(f"{tag}_full", full, caption)

    def frame(self, tag: str, draw: Callable[[], Any], caption: str = "") -> None:
        """The next frame of a film, in TensorBoard (a step each) and in `previews/<tag>_film.gif`.

        Args:
            tag: Its name.
            draw: Makes the figure; called only if there are not too many frames already.
            caption: As of a figure.
        """
        film = Film(self.run.previews / f"{tag}{SUFFIX}")
        if not film.wants(self.step):
            return
        figure = draw()
        figure.text(0.99, 0.985, f"step {self.step:,}", ha="right", va="top", fontsize=7.2)
        png, _ = render(figure)
        film.add(self.step, png)
        self._image(f"{tag}{SUFFIX}", png, caption)

    def _png(self, tag: str, figure: Any, caption: str) -> bytes:
        """Draw a figure and write it to the previews."""
        png, note = render(figure, caption=caption)
        if note:
            warnings.warn(note, stacklevel=2)
        self.run.previews.mkdir(exist_ok=True)
        name = f"{tag.replace('/', '_')}-{self.step:06d}.png"
        (self.run.previews / name).write_bytes(png)
        return png

    def _image(self, tag: str, png: bytes, caption: str) -> None:
        """A picture in TensorBoard, with a description."""
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata

        shown, (width, height) = for_tensorboard(png)
        image = Summary.Image(width=width, height=height, colorspace=3, encoded_image_string=shown)
        metadata = SummaryMetadata(summary_description=caption)
        summary = Summary(value=[Summary.Value(tag=tag, image=image, metadata=metadata)])
        self.writer.file_writer.add_summary(summary, self.step)  # type: ignore[attr-defined]

    def text(self, tag: str, text: str) -> None:
        """A text sample, in TensorBoard and as `previews/<tag>-<step>.txt`."""
        text = text.encode("utf-8", "backslashreplace").decode()  # half a character, an odd byte
        self.writer.add_text(tag, text, self.step)
        self.run.previews.mkdir(exist_ok=True)
        name = f"{tag.replace('/', '_')}-{self.step:06d}.txt"
        (self.run.previews / name).write_text(text, encoding="utf-8")

    def histogram(self, tag: str, step: int, values: Tensor) -> None:
        """A histogram of a tensor's finite values, in TensorBoard; of none there is none."""
        if found := histogram(values):
            self.writer.add_histogram_raw(tag, *found, global_step=step)

    def graph(self, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """The graph of a model's forward pass, in TensorBoard; raises what tracing it raises."""
        # The tracer warns that a trace may not fit other inputs; errors it prints besides.
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self.writer.add_graph(model, inputs, use_strict_trace=False)

    def offset(self) -> int:
        """Bytes of metrics.jsonl written, all of them on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Flush everything."""
        for film in films_of(self.run.previews):
            film.write()
        self._file.close()
        self.writer.close()
