"""Graphs that take raw input: preprocessing is a part of them, so that no caller can forget it.

Images enter as bytes, rows of a table as numbers in their own units, texts as token ids; the answer
of a regression leaves in the target's units. What cannot be a part of a graph (resizing an image,
cutting a text into tokens) is described by `describe`, which lies beside the graph.
Shapes: B batch, C channels, H height, W width, D features.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.data.encoding import Encoding
from zoo.data.images.encoding import ImageEncoding
from zoo.data.tables.encoding import TableEncoding
from zoo.data.tables.words import PATTERN
from zoo.data.text.chat_encoding import ChatEncoding
from zoo.data.text.labelled_encoding import LabelledTextEncoding
from zoo.data.text.tagged_encoding import CUTS, TaggedEncoding

FACTS = (
    "class_names",
    "label_names",
    "tag_names",
    "feature_names",
    "pad_id",
    "bos_id",
    "eos_id",
    "eot_id",
    "mask_id",
)


class Preprocessed(nn.Module):
    """A model of raw inputs.

    Args:
        model: It takes prepared inputs.
        scale: Factor of each channel or feature, then `shift` is added; None: as they are.
        shift: Of each channel or feature.
        output: Factors and addends of the answer, (2, O); None for logits.
    """

    scale: Tensor | None
    shift: Tensor | None
    output: Tensor | None

    def __init__(
        self,
        model: nn.Module,
        scale: Tensor | None,
        shift: Tensor | None,
        output: Tensor | None,
    ) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("output", output)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Raw inputs (B, ...) to logits (B, K) or values (B, O)."""
        y = self.model(self.prepare(x))
        return y if self.output is None else y * self.output[0] + self.output[1]

    def prepare(self, x: Tensor) -> Tensor:
        """Raw to prepared inputs."""
        if self.scale is None or self.shift is None:
            return x
        return (x.to(self.scale.dtype) * self.scale + self.shift).float()

    def raw(self, x: Tensor) -> Tensor:
        """The inverse of `prepare`."""
        if self.scale is None or self.shift is None:
            return x
        raw = (x.to(self.scale.dtype) - self.shift) / self.scale
        return raw.round().to(torch.uint8) if self.scale.dtype == torch.float32 else raw

    def standardised(self, y: Tensor) -> Tensor:
        """The model's own answer, from the graph's."""
        return y if self.output is None else (y - self.output[1]) / self.output[0]


def preprocessed(model: nn.Module, encoding: Encoding, facts: dict[str, Any]) -> Preprocessed:
    """A model with the preprocessing of its data."""
    scale = shift = output = None
    if isinstance(encoding, ImageEncoding):
        mean, std = (torch.tensor(x)[:, None, None] for x in (encoding.mean, encoding.std))
        scale, shift = 1 / (255 * std), -mean / std  # (C, 1, 1)
    elif isinstance(encoding, TableEncoding):
        mean, std = torch.tensor(facts["feature_scales"], dtype=torch.float64).unbind(1)
        scale, shift = 1 / std, -mean / std  # (D,)
    if "target_std" in facts:
        pairs = facts["target_std"], facts["target_mean"]
        output = torch.tensor(pairs, dtype=torch.float64).reshape(2, -1)  # as the features
    return Preprocessed(model, scale, shift, output)


def input_name(encoding: Encoding) -> str:
    """What a graph calls its input."""
    if isinstance(encoding, ImageEncoding):
        return "pixels"
    return "features" if isinstance(encoding, TableEncoding) else "input"


def describe(encoding: Encoding, facts: dict[str, Any], task: str) -> dict[str, Any]:
    """How raw data becomes the graph's input, and what its answer means: JSON."""
    about: dict[str, Any] = {"task": task}
    about |= {name: facts[name] for name in FACTS if facts.get(name) is not None}
    if isinstance(encoding, ImageEncoding):
        height, width = encoding.size
        size = {"channels": encoding.channels, "height": height, "width": width}
        about["image"] = size | {"resize": encoding.resize, "background": "black"}
        if encoding.levels is not None:  # values that become 0 and, beyond white, 256
            about["image"]["levels"] = list(encoding.levels)
    elif isinstance(encoding, TableEncoding):
        about["columns"] = encoding.to_json()["columns"]
        if any(column.kind == "text" for column in encoding.columns):
            about["word_pattern"] = PATTERN
        names = encoding.target_columns
        about["target"] = names[0] if len(names) == 1 else names
    elif encoding.tokenizer is not None:
        about["length"] = _length(encoding, facts)
        if isinstance(encoding, TaggedEncoding):
            about["word_pattern"] = CUTS[encoding.cut].pattern
            about["lower_case"] = encoding.lower_case
        if encoding.tokenizer.kind == "word":
            words = encoding.tokenizer
            about["vocabulary"] = [words.token(i) for i in range(words.vocab_size)]
        if (template := facts.get("template")) is not None:
            about["template"] = template
        elif isinstance(encoding, ChatEncoding):
            about |= encoding.chat.around_a_message()
    return about


def _length(encoding: Encoding, facts: dict[str, Any]) -> int | None:
    """The most tokens of a text."""
    if isinstance(encoding, LabelledTextEncoding | TaggedEncoding):
        return encoding.length
    return facts.get("block_size", facts.get("max_length"))
