"""CLIP: an image encoder and a text encoder whose outputs agree where a text describes an image.

Radford et al., 2021, https://arxiv.org/abs/2103.00020.
Differs from the paper: each encoder is any of the zoo's models that gives a vector for an image, or
for a text; the linear projection is its own output layer, whose bias, if any, starts at zero.
Shapes: B batch, C channels, H height, W width, T tokens, D width of both outputs.
"""

import math
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoo.bounds import Bound, Positive
from zoo.errors import UserError
from zoo.naming import in_head
from zoo.registry import MODELS
from zoo.schema import parameters

MOST = 100.0  # the temperature is kept from falling below 1 / 100, as in the paper
TINY_TEXT = dict(name="rnn", cell="gru", width=8, depth=1, pool="mean")


@MODELS.register(
    "clip",
    task="contrastive",
    tiny=dict(
        input_shape=(1, 8, 8),
        vocab_size=16,
        block_size=4,
        pad_id=1,
        width=8,
        image=dict(name="cnn", width=4, stages=2, blocks=1, dropout=0.0),
        text=TINY_TEXT,
    ),
)
class CLIP(nn.Module):
    """Two encoders and a temperature, which is learnt.

    Args:
        image: The image encoder: the name of a model and its options.
        text: The text encoder, likewise.
        input_shape: (channels, height, width) of one image.
        vocab_size: Number of token ids of the texts.
        block_size: Tokens of a text, at most.
        pad_id: Id of the padding, on the right of shorter texts.
        width: D.
        temperature: At the start of training.
    """

    def __init__(
        self,
        image: dict[str, Any],
        text: dict[str, Any],
        input_shape: tuple[int, ...],
        vocab_size: int,
        block_size: int,
        pad_id: int,
        width: Positive = 128,
        temperature: Annotated[float, Bound(least=0.01, most=1.0)] = 0.07,
    ) -> None:
        super().__init__()
        size = {"num_classes": width, "num_outputs": width}
        tokens = {"vocab_size": vocab_size, "block_size": block_size, "pad_id": pad_id}
        self.image = _encoder("image", image, input_shape=input_shape, **size)
        self.text = _encoder("text", text, num_outputs=width, **tokens)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self._initialise()

    def _initialise(self) -> None:
        """Initialise the output layers: a classifier's logits start near 0, without direction."""
        for encoder in (self.image, self.text):
            for name, module in encoder.named_modules():
                if in_head(name) and isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, std=module.in_features**-0.5)
                    if module.bias is not None:
                        nn.init.zeros_(module.bias)

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors whose products are the logits: those of images have the length 1 / temperature,
        those of texts the length 1.

        Args:
            images: (B, C, H, W).
            texts: Int64 (B, T).

        Returns:
            (B, D) of images, (B, D) of texts.
        """
        return self.scale() * self.encode_images(images), self.encode_texts(texts)

    def scale(self) -> Tensor:
        """One over the temperature, a scalar."""
        bound = math.log(MOST)
        if not self.training:
            return self.log_scale.clamp(max=bound).exp()
        with torch.no_grad():  # the parameter itself: beyond the bound it would have no gradient
            self.log_scale.clamp_(max=bound)
        return self.log_scale.exp()

    def encode_images(self, images: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D), of length 1."""
        return F.normalize(self.image(images), dim=1)

    def encode_texts(self, texts: Tensor) -> Tensor:
        """Int64 (B, T) to (B, D), of length 1."""
        return F.normalize(self.text(texts), dim=1)


def _encoder(side: str, options: dict[str, Any], **facts: Any) -> nn.Module:
    """The model that `model.image` or `model.text` names.

    Raises:
        UserError: It reads something else, or takes other options.
    """
    fitting = [name for name in MODELS.names() if _fits(side, name)]
    if (name := options.get("name")) in MODELS.names() and name not in fitting:
        raise UserError(
            f"model.{side}={name}: expected a model that gives one vector for "
            f"{'an image' if side == 'image' else 'a text'}: {', '.join(fitting)}"
        )
    encoder: nn.Module = MODELS.under(f"model.{side}").build(options, **facts)
    return encoder


def _fits(side: str, name: str) -> bool:
    """Whether a model gives a vector of any size for an image, as classifiers do, or for a text."""
    schema = parameters(MODELS[name].builder)
    forward = parameters(getattr(MODELS[name].builder, "forward", lambda x: x))
    if sum(p.default is p.empty for key, p in forward.items() if key != "self") != 1:
        return False  # it reads more than that
    if side == "text":
        return {"vocab_size", "num_outputs"} <= schema.keys()
    sizes = [schema[size] for size in ("num_classes", "num_outputs") if size in schema]
    return "input_shape" in schema and any(size.default is size.empty for size in sizes)
