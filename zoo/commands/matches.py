"""Captions ranked for images, and images ranked for a caption."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from zoo.errors import UserError
from zoo.phrases import first_few
from zoo.schema import matches_type

if TYPE_CHECKING:
    from zoo.restore import Restored, Warn

BATCH = 256
HOW = (
    "give candidates='[first caption, second caption]' to rank captions for the image of input=, "
    "or images=<a folder> to rank its images for the caption of input="
)


def set_prompts(restored: "Restored", text: str, warn: "Warn") -> None:
    """Let the task of a run classify by captions that stand for classes.

    Args:
        restored: The run.
        text: `[capital letter, small letter]`.
        warn: Called with words that the vocabulary lacks.

    Raises:
        UserError: The run compares no images and captions; fewer than two, or unknown ones.
    """
    from zoo.config.text import read

    if not hasattr(restored.task, "prompts"):
        name = restored.config.task["name"]
        raise UserError(f"prompts= is for runs of images and captions, this one has task={name}")
    prompts = read(text, list[str])
    if not matches_type(prompts, list[str]) or len(set(prompts)) < 2:
        raise UserError(
            f"prompts={text}: expected two captions or more: '[first text, second text]'"
        )
    check_known(restored, prompts, "prompts", warn)
    restored.task.prompts = list(dict.fromkeys(prompts))


class Matcher:
    """Answers of a run whose task compares images and captions.

    Args:
        restored: The run.
        warn: Called with what is said of images and captions.
    """

    def __init__(self, restored: "Restored", warn: "Warn") -> None:
        self.restored, self.warn = restored, warn

    def respond(
        self,
        model: nn.Module,
        input: Any,
        candidates: list[str] | None = None,
        images: str | None = None,
        top: int = 3,
    ) -> Iterator[dict[str, Any]]:
        """For each image of `input` the nearest of some captions, with the probabilities of all; or
        for the caption `input` the nearest images of a folder, `top` of them.

        Args:
            model: The model.
            input: An image file, a folder, or what of Python the encoding takes; with `images` a
                caption.
            candidates: Captions to choose from.
            images: An image file, or a folder.
            top: Images to list for a caption.

        Raises:
            UserError: Neither or both of the two options, captions of which nothing is known, files
                that cannot be read.
        """
        if (candidates is None) == (images is None):
            raise UserError(HOW)
        if top < 1:
            raise UserError(f"top={top}: expected 1 or more")
        if images is not None:
            return self._images(model, input, images, top)
        return self._captions(model, input, list(dict.fromkeys(candidates or [])))

    def _captions(
        self, model: nn.Module, input: Any, candidates: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        if len(candidates) < 2:
            raise UserError(f"candidates={list(candidates)}: expected two captions or more")
        check_known(self.restored, candidates, "candidates", self.warn)
        names, logits = self._compare(model, input, candidates)  # (N, C)
        for name, row in zip(names, logits.softmax(1).tolist(), strict=True):
            best = max(range(len(row)), key=row.__getitem__)
            yield {
                "input": name,
                "caption": candidates[best],
                "probability": row[best],
                "probabilities": dict(zip(candidates, row, strict=True)),
            }

    def _images(
        self, model: nn.Module, input: Any, images: str, top: int
    ) -> Iterator[dict[str, Any]]:
        if not isinstance(input, str):
            raise UserError(f"input is of type {type(input).__name__}; expected a caption")
        check_known(self.restored, [input], "input", self.warn)
        names, logits = self._compare(model, images, [input])  # (N, 1)
        known: Any = getattr(model, "scale", None)
        scale = known().float().to(logits.device) if known else 1.0
        cosines = (logits[:, 0] / scale).tolist()
        for k in sorted(range(len(names)), key=lambda k: -cosines[k])[:top]:
            yield {"input": input, "image": names[k], "cosine": cosines[k]}

    def _compare(
        self, model: nn.Module, input: Any, captions: Sequence[str]
    ) -> tuple[list[str], Tensor]:
        """Names of the images, N, and their logits of the captions, (N, C), on the CPU."""
        restored: Any = self.restored
        names, stored, notes = restored.read([input])
        for note in notes:
            self.warn(note)
        logits = []
        for part in stored["input"].split(BATCH):
            batch = restored.encoding.prepare({"input": part.to(restored.runtime.device)})
            logits.append(restored.task.similarities(model, batch["input"], captions).cpu())
        return names, torch.cat(logits)


def check_known(restored: "Restored", texts: Sequence[str], option: str, warn: "Warn") -> None:
    """Say which words of captions the vocabulary lacks, and what is too long to be read whole.

    Raises:
        UserError: All words of a caption are lacking.
    """
    captions: Any = restored.encoding.runtime_facts["captions"]
    for text in texts:
        if not text.strip():
            raise UserError(f"{option}: an empty caption; expected a text")
        if captions.knows_nothing(text):
            raise UserError(
                f"{option}: the run's vocabulary knows no word of '{text}'; expected a caption "
                f"like those that it was trained on"
            )
        if lacking := captions.unknown(text):
            listed = first_few((f"'{word}'" for word in lacking), 5)
            warn(f"'{text}': the run's vocabulary lacks {listed}, which count as unknown words")
        if (length := len(captions.row(text))) > captions.length:
            warn(
                f"'{text}': of its {length:,} tokens the first {captions.length} are read, as in "
                f"training"
            )
