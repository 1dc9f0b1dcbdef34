"""`zoo.load(...)`: a run as an object."""

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.api.curves import as_html
from zoo.config.run import RunConfig
from zoo.config.saved import read_config
from zoo.errors import UserError
from zoo.rows import Rows
from zoo.runs.directory import RunDirectory
from zoo.runs.find import find_run
from zoo.runs.result import FILE, read_result

if TYPE_CHECKING:
    from torch import nn

    from zoo.commands.drawn import Drawn
    from zoo.data.encoding import Encoding
    from zoo.restore import Restored


class Run(os.PathLike[str]):
    """A run: its folder, what it has recorded, and its trained model.

    What is on the disk is read when it is asked for, and the weights once, at the first use of
    `model` or `predict`. A run is taken wherever a path is.

    Args:
        path: Its folder.
        checkpoint: "best", "last", a step, or the name of a checkpoint.
        device: "auto", "cpu", "cuda", ...
        plugins: Modules to import first; those in the run's config are not imported by default.
        base: Where the weights are that a LoRA run's adapter belongs to, if they have moved.

    Raises:
        UserError: The folder is no run.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        checkpoint: str | int = "best",
        device: str = "auto",
        plugins: Sequence[str] = (),
        base: str | os.PathLike[str] = "",
    ) -> None:
        self._directory = RunDirectory.open(Path(path))
        self._options = (str(checkpoint), device, tuple(plugins), os.fspath(base))

    @property
    def path(self) -> Path:
        """The folder."""
        return self._directory.path

    @cached_property
    def config(self) -> RunConfig:
        """All settings; `config.optim["lr"]`, `config.trainer.max_steps`, `config.seed`."""
        return read_config(self.path)

    @property
    def result(self) -> dict[str, Any]:
        """result.json: status, metrics of the best step, test metrics, ...; {} before its end."""
        if not (self.path / FILE).is_file():
            return {}
        return read_result(self._directory)

    @property
    def metrics(self) -> Rows:
        """Losses and metrics as rows: `step`, `split` ("train", "val", "test"), and a column for
        each metric. `pandas.DataFrame(run.metrics)` is a table."""
        return Rows(self._directory.metrics()) if self._directory.metrics_file.is_file() else Rows()

    @property
    def model(self) -> "nn.Module":
        """The model with the weights of the checkpoint, in evaluation mode."""
        return self._restored.model

    @property
    def encoding(self) -> "Encoding":
        """How a raw input becomes what `model` takes; `encoding.tokenizer` for texts."""
        return self._restored.encoding

    @cached_property
    def _restored(self) -> "Restored":
        from zoo.adapters.lora import fold
        from zoo.api.kept import rng_kept
        from zoo.restore import restore

        checkpoint, device, plugins, base = self._options
        with rng_kept():  # a model is built with random weights first
            restored = restore(self.path, checkpoint, device, plugins, _warn, base)
        fold(restored.model)
        return restored

    def predict(self, inputs: Any, **options: Any) -> Rows:
        """Predictions, as rows that `predict.py ... json=true` prints.

        Args:
            inputs: One input or a list of them. For image models a file, a folder, a Pillow image,
                an array or a tensor; for table models a row {name: value}, a list of rows, a
                DataFrame, or a CSV or JSON file; for language models a text.
            **options: Those of the task: `top=5`, `max_tokens=50`, `temperature=0`; with
                `options=["good", "bad"]` the likeliest of these continuations is the answer.

        Raises:
            UserError: An input or an option that the model does not take.
        """
        from zoo.commands.answers import answer, bind, joined, respond_of
        from zoo.commands.samples import predict

        restored, given = self._restored, _listed(inputs)
        respond = respond_of(restored, given=options)
        chosen = bind(respond, options)
        if not given:
            return Rows()
        if respond is None:
            return Rows(predict(restored, given, _warn))
        is_text = restored.encoding.kind != "captioned"  # else images, or a caption
        if is_text and (strange := [one for one in given if not isinstance(one, str)]):
            raise UserError(f"input is of type {type(strange[0]).__name__}; expected a text")
        return Rows(
            ({"input": text} | row)
            for text in given
            for row in joined(answer(restored, text, chosen, _warn))
        )

    def draw(
        self,
        samples: int = 16,
        classes: "str | Sequence[str] | None" = None,
        seed: int = 0,
        **options: Any,
    ) -> "Drawn":
        """New images of a generative model: `drawn.pixels`, `drawn.classes`, `drawn.save(...)`.

        Args:
            samples: How many.
            classes: The class, or several that take turns; None for all of them in turn.
            seed: The same seed draws the same images; a larger number of them begins with the same.
            **options: Those of the task: `temperature=0.8`, `steps=20`.

        Raises:
            UserError: The model draws nothing; a class or an option that it does not have.
        """
        from zoo.commands.draw import draw

        return draw(self._restored, samples, classes, seed, options)

    def redraw(self, inputs: Any, seed: int = 0, **options: Any) -> "Drawn":
        """Images changed by a generative model: rows of inputs, each above what became of them.

        Args:
            inputs: As of `predict`, of an image model.
            seed: Of what is drawn at random.
            **options: Those of the task.

        Raises:
            UserError: The model changes no images; an input or an option that it does not take.
        """
        from zoo.commands.draw import redraw

        return redraw(self._restored, _listed(inputs), seed, options, warn=_warn)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"zoo.load({str(self.path)!r})"

    def _repr_html_(self) -> str:
        return as_html(self.path, self.metrics, self.result)


def load(
    run: str | os.PathLike[str],
    checkpoint: str | int = "best",
    device: str = "auto",
    plugins: Sequence[str] = (),
    base: str | os.PathLike[str] = "",
) -> Run:
    """A run by its folder.

    Args:
        run: A run directory; a folder of runs: the newest; "last": the newest below outputs.
        checkpoint, device, plugins, base: As `Run`.

    Raises:
        UserError: There is none.
    """
    return Run(find_run(os.fspath(run)).path, checkpoint, device, plugins, base)


def _listed(inputs: Any) -> list[Any]:
    """One input or several as a list; rows of a table are one input."""
    is_one = isinstance(inputs, str | Mapping) or not hasattr(inputs, "__len__")
    is_one = is_one or getattr(inputs, "shape", None) == ()  # an array of one value, without length
    if not is_one and len(inputs) == 0:
        return []
    if isinstance(inputs, list | tuple) and not all(isinstance(one, Mapping) for one in inputs):
        return list(inputs)
    return [inputs]


def _warn(text: str) -> None:
    """A warning at the line outside of Zoo that led to it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("zoo."):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)
