"""What a task can do besides training: answers, pictures, films, points. Each is optional.

- `Responder`: generates an answer to a text. `Chats`: and to the messages of a conversation.
  `Ranks`: says how probable given answers are.
- `DrawsImages`: draws new images. `Redraws`: changes images. `Judged`: compares what it draws with
  real data.
- `Matches`: says how well captions fit images.
- `HasFilm`: a picture at every validation.
- `HasPoints`: points for TensorBoard's projector.
- `HasWordVectors`: vectors of words.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zoo.batch import Batch
from zoo.tasks.base import PreviewWriter


@runtime_checkable
class Responder(Protocol):
    """A task that answers a text: continues it, translates it, fills its blanks.

    The further parameters of `respond` are the options of `scripts/predict.py`.
    """

    def respond(self, model: nn.Module, input: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Rows about the text; pieces of one row's `text` as they are generated."""


@runtime_checkable
class Chats(Protocol):
    """A `Responder` whose `respond` also takes messages, each with `role` and `content`.

    Attributes:
        chat: Messages to ids, `chat.prompt(messages)`; None where the data has no conversations.
    """

    chat: Any


@runtime_checkable
class Ranks(Protocol):
    """A task that says which of several continuations of a text is the likeliest."""

    def rank(self, model: nn.Module, input: Any, options: list[str]) -> Iterator[dict[str, Any]]:
        """A row about the text, with the `option` and the `probabilities` of all."""


@runtime_checkable
class DrawsImages(Protocol):
    """A task of a generative model of images.

    The further parameters of `draw` are the options of `scripts/predict.py`, with their defaults.

    Attributes:
        class_names: Of the classes that the model can be asked for; empty where it has none.
    """

    class_names: list[str]

    def draw(
        self, model: nn.Module, classes: Tensor, generator: torch.Generator, **options: Any
    ) -> Tensor:
        """New images, uint8 (N, C, H, W), as the data stores them.

        Args:
            model: In evaluation mode.
            classes: Which class each image shall be of, int64 (N,), on the CPU; where the model
                has no classes, only their number counts.
            generator: On the CPU, so that a seed gives the same noise on every device.
            **options: Such as the number of steps.
        """


@runtime_checkable
class Redraws(Protocol):
    """A task that returns images changed: restored from a code, completed where they are hidden.

    The further parameters of `redraw` are the options of `scripts/predict.py`, beside `input=`.
    """

    def redraw(
        self, model: nn.Module, batch: Batch, generator: torch.Generator, **options: Any
    ) -> Tensor:
        """The images of a prepared batch without targets, uint8 (N, C, H, W).

        Args:
            model: In evaluation mode.
            batch: `input` (N, C, H, W).
            generator: On the CPU.
            **options: What to change.
        """


@runtime_checkable
class Judged(Protocol):
    """A task of a generative model, whose test result says how what it draws compares with real
    data (`zoo.tasks.judging` does so for images)."""

    def judge(
        self,
        model: nn.Module,
        train: Iterable[Batch],
        test: Iterable[Batch],
        samples: int | None = None,
        features: Callable[[Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Called once, after an evaluation of the test split; what it gives is added to the means
        that `summarize`, `baseline`, `details` and `preview` take. Several ranks: on the first.

        Args:
            model: In evaluation mode.
            train, test: The whole splits; of very large ones samples spread over them.
            samples: How many to draw; None for as many as the task thinks right.
            features: Of a trained classifier of the same data: images as the data stores them to
                vectors (N, D); None in training.
        """


@runtime_checkable
class Matches(Protocol):
    """A task that says how well a caption fits an image.

    Attributes:
        captions: Texts to ids and back, as the data has them.
    """

    captions: Any

    def similarities(self, model: nn.Module, images: Tensor, captions: Sequence[str]) -> Tensor:
        """Logits of C captions for each prepared image: (N, C)."""


@runtime_checkable
class HasFilm(Protocol):
    """A task that may have a picture cheap enough for every validation: the frame of a film.

    Attributes:
        films: Whether it has one of this data.
    """

    films: bool

    def film(
        self, model: nn.Module, batch: Batch, means: dict[str, Tensor], writer: PreviewWriter
    ) -> None:
        """Write a frame; the arguments are those of `preview`."""


class Points(NamedTuple):
    """What TensorBoard's projector shows in space, N points.

    Attributes:
        name: Of the points, in letters.
        vectors: Float (N, D), finite, on the CPU.
        columns: Labels by the name of their column, the most telling first.
        images: Thumbnails, uint8 (N, H, W, 3), or None.
    """

    name: str
    vectors: Tensor
    columns: Mapping[str, list[str]]
    images: Tensor | None = None


@runtime_checkable
class HasPoints(Protocol):
    """A task with something for TensorBoard's projector, written once, at the end of a run."""

    def points(self, model: nn.Module, batch: Batch) -> Points | None:
        """The points of a batch of the test split, or of the model itself; None if it has none."""


@runtime_checkable
class HasWordVectors(Protocol):
    """A task that learns vectors of words, and can list and compare them."""

    neighbours: Any
